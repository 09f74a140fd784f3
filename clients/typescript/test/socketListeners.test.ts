import { describe, expect, it } from 'vitest'
import type { JobStatus } from '../src/index.js'
import { answer, broken, HeldAnswers, job, JOB, numbered, problem, settled, statusOf } from './fakes.js'
import { opened, type FakeSocket } from './fakeSocket.js'

const ALL = { type: 'subscribe', all: true }
const TOLD = { type: 'subscribed', all: true, cursor: '1' }

function tell(socket: FakeSocket, changes: Partial<JobStatus> = {}): void {
  socket.say({ type: 'status', ...job(changes) })
}

describe('a listener to one job', () => {
  it('hears what was told among all jobs', async () => {
    const { socket, first } = await opened()
    socket.subscribeAll(() => undefined)
    tell(first, { version: 3 })
    first.say(TOLD)
    const heard: number[] = []
    socket.subscribe(JOB, (each) => heard.push(each.version))
    expect(first.sent.at(-1)).toEqual({ type: 'subscribe', job_id: JOB })
    await settled()
    tell(first, { version: 3 })
    tell(first, { version: 4 })
    expect(heard).toEqual([3, 4])
  })

  it('hears the answer when the one before left without it', async () => {
    const { socket, first } = await opened()
    socket.subscribe(JOB, () => undefined)()
    tell(first, { version: 3 })
    first.say({ type: 'unsubscribed', job_id: JOB })
    const heard: number[] = []
    socket.subscribe(JOB, (each) => heard.push(each.version))
    tell(first, { version: 3 })
    await settled()
    expect(heard).toEqual([3])
  })

  it('takes nothing from those who listen to all when it leaves', async () => {
    const { socket, first } = await opened()
    socket.subscribeAll(() => undefined)
    const leave = socket.subscribe(JOB, () => undefined)
    tell(first, { version: 3 })
    leave()
    const heard: unknown[] = []
    socket.subscribeAll((message) => heard.push('type' in message ? message.type : message.version))
    await settled()
    expect(heard).toEqual([3])
  })
})

describe('listeners to all jobs', () => {
  it('ask once, and those who come later hear what the first one heard', async () => {
    const { socket, first } = await opened()
    const heard: unknown[][] = Array.from({ length: 10 }, () => [])
    const listen = (list: unknown[]) => socket.subscribeAll((message) => list.push('type' in message ? message.type : message.job_id))
    listen(heard[0] as unknown[])
    tell(first, { job_id: 'a' })
    tell(first, { job_id: 'over', status: 'failed' })
    for (const list of heard.slice(1)) listen(list)
    await settled()
    tell(first, { job_id: 'b' })
    first.say(TOLD)
    expect(first.sent).toEqual([ALL])
    expect(heard[0]).toEqual(['a', 'over', 'b', 'ready'])
    expect(heard[9]).toEqual(['a', 'b', 'ready'])
    const late: unknown[] = []
    listen(late)
    await settled()
    expect([late, first.sent]).toEqual([['a', 'b', 'ready'], [ALL]])
  })

  it('that come and go are asked for no faster than the server takes it', async () => {
    const { socket, clock, first } = await opened()
    for (let time = 0; time < 10; time += 1) socket.subscribeAll(() => undefined)()
    const asked = () => first.sent.filter((message) => (message as { type: string }).type === 'subscribe').length
    expect(asked()).toBe(5)
    await clock.advance(10_000)
    expect(asked()).toBe(10)
  })
})

describe('after another connection', () => {
  /** Listens to all, was told that `count` jobs live, and has lost that connection. */
  async function reconnected(count: number) {
    const all = await opened()
    const heard: string[] = []
    all.socket.subscribeAll((message) => heard.push('type' in message ? message.type : `${message.job_id} ${message.status}`))
    for (let number = 0; number < count; number += 1) tell(all.first, { job_id: `job-${number}` })
    all.first.say(TOLD)
    heard.length = 0
    all.first.end(1012)
    await all.clock.advance(2_000)
    const second = all.made[1] as FakeSocket
    second.say({ type: 'ready' })
    return { ...all, second, heard }
  }
  it('what lived and is told no more is looked up, a few at once', async () => {
    const { server, second, heard } = await reconnected(8)
    const held = new HeldAnswers()
    for (let number = 1; number < 8; number += 1) {
      server.on(statusOf(number), held.handler(numbered(number, { status: 'completed', version: 9 })))
    }
    tell(second, { job_id: 'job-0' })
    second.say(TOLD)
    await settled()
    expect(held.count).toBe(4)
    await held.letGo()
    await held.letGo()
    expect(server.calls(statusOf(0))).toEqual([])
    expect(heard.slice(0, 2)).toEqual(['job-0 queued', 'ready'])
    expect(heard.slice(2)).toEqual([1, 2, 3, 4, 5, 6, 7].map((number) => `job-${number} completed`))
  })

  it('what is refused does not break it', async () => {
    const { server, clock, made, second, socket } = await reconnected(1)
    server.on(statusOf(0), () => problem(500, 'internal_error'))
    second.say(TOLD)
    await clock.advance(10_000)
    expect([socket.state, made.length]).toEqual(['open', 2])
  })

  it('what cannot be looked up is asked for with the next one, and what is not there any more never again', async () => {
    const { server, clock, made, second, heard } = await reconnected(2)
    server.on(statusOf(0), () => problem(404, 'job_not_found')).on(statusOf(1), broken)
    second.say(TOLD)
    await clock.advance(20_000)
    server.on(statusOf(1), () => answer(numbered(1, { status: 'failed', version: 5 })))
    made[2]?.say({ type: 'ready' })
    made[2]?.say(TOLD)
    await settled()
    expect(heard.at(-1)).toBe('job-1 failed')
    const before = server.calls(statusOf(0)).length
    made[2]?.end(1012)
    await clock.advance(2_000)
    made[3]?.say({ type: 'ready' })
    made[3]?.say(TOLD)
    await settled()
    expect(server.calls(statusOf(0))).toHaveLength(before)
  })
})
