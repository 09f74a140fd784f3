import { expect, it } from 'vitest'
import type { JobStatus } from '../src/index.js'
import { broken, job, JOB, problem, settled } from './fakes.js'
import { setUp } from './fakeSocket.js'

it('connects with a ticket, subscribes when it is ready, and tells changes', async () => {
  const { socket, made } = setUp()
  const heard: JobStatus[] = []
  socket.subscribe(JOB, (each) => heard.push(each))
  await settled()
  expect(made[0]?.url).toBe('wss://haulier.example/ws?ticket=t1')
  expect(made[0]?.sent).toEqual([])
  made[0]?.say({ type: 'ready' })
  expect(made[0]?.sent).toEqual([{ type: 'subscribe', job_id: JOB }])
  expect(socket.state).toBe('open')
  made[0]?.say({ type: 'status', ...job({ version: 3 }) })
  made[0]?.say({ type: 'status', ...job({ version: 2 }) })
  made[0]?.say({ type: 'status', ...job({ version: 4 }) })
  expect(heard.map((each) => each.version)).toEqual([3, 4])
  expect(heard[0]).not.toHaveProperty('type')
})

it('connects again with a new ticket and subscribes again, without telling old news', async () => {
  const { clock, socket, made } = setUp()
  const heard: number[] = []
  const states: string[] = []
  socket.onState((state) => states.push(state))
  socket.subscribe(JOB, (each) => heard.push(each.version))
  await settled()
  made[0]?.say({ type: 'ready' })
  made[0]?.say({ type: 'status', ...job({ version: 3 }) })
  made[0]?.end(1012)
  await clock.advance(2_000)
  expect(made[1]?.url).toContain('ticket=t2')
  made[1]?.say({ type: 'ready' })
  made[1]?.say({ type: 'status', ...job({ version: 3 }) })
  made[1]?.say({ type: 'status', ...job({ version: 5 }) })
  expect(made[1]?.sent).toEqual([{ type: 'subscribe', job_id: JOB }])
  expect(heard).toEqual([3, 5])
  expect(states).toEqual(['open', 'waiting', 'connecting', 'open'])
})

it('waits longer after each failure, and stops when it is refused', async () => {
  const { server, clock, socket, made } = setUp()
  await settled()
  server.on('POST /v1/tickets', broken)
  made[0]?.end(1006)
  await clock.advance(1_000)
  expect(server.calls('POST /v1/tickets')).toHaveLength(2)
  await clock.advance(1_900)
  expect(server.calls('POST /v1/tickets')).toHaveLength(2)
  await clock.advance(100)
  expect(server.calls('POST /v1/tickets')).toHaveLength(3)
  server.on('POST /v1/tickets', () => problem(401, 'unauthenticated'))
  let error: Error | undefined
  socket.onState((state, reason) => {
    if (state === 'closed') error = reason
  })
  await clock.advance(60_000)
  expect(socket.state).toBe('closed')
  expect(error).toMatchObject({ code: 'unauthenticated' })
  expect(clock.waiting).toBe(0)
})

it.each([[0, 5_800], [0.99, 8_700]])('does not come back with all others (%f: after %i ms)', async (chance, ms) => {
  const { clock, made } = setUp({ random: () => chance })
  await settled()
  made[0]?.say({ type: 'ready' })
  made[0]?.say({ type: 'error', code: 'ledger_unavailable', message: 'Not right now.' })
  await clock.advance(ms - 100)
  expect(made).toHaveLength(1)
  await clock.advance(100)
  expect(made).toHaveLength(2)
})

it('goes on when there is no token for a moment, and stops when there never was one', async () => {
  let isAway = false
  const token = () => (isAway ? Promise.reject(new TypeError('Failed to fetch')) : 't')
  const { clock, socket, made } = setUp({ token })
  await settled()
  made[0]?.say({ type: 'ready' })
  isAway = true
  made[0]?.end(1006)
  await clock.advance(5_000)
  isAway = false
  await clock.advance(5_000)
  expect([socket.state, made.length]).toEqual(['connecting', 2])
  const { socket: never } = setUp({ token: () => Promise.reject(new Error('nobody')) })
  await settled()
  expect(never.state).toBe('closed')
})

it('takes a silent connection for dead', async () => {
  const { clock, made } = setUp()
  await settled()
  made[0]?.say({ type: 'ready' })
  await clock.advance(44_000)
  expect(made[0]?.sent).toContainEqual({ type: 'ping' })
  await clock.advance(3_000)
  expect(made[0]?.closedWith).toBe(4000)
  expect(made).toHaveLength(2)
})

it('unsubscribes with the last listener, and tells the next one what is known', async () => {
  const { socket, made } = setUp()
  await settled()
  made[0]?.say({ type: 'ready' })
  const [one, other]: [number[], number[]] = [[], []]
  const stopOne = socket.subscribe(JOB, (each) => one.push(each.version))
  made[0]?.say({ type: 'status', ...job({ version: 3 }) })
  const stopOther = socket.subscribe(JOB, (each) => other.push(each.version))
  await settled()
  expect([one, other]).toEqual([[3], [3]])
  stopOne()
  expect(made[0]?.sent).toEqual([{ type: 'subscribe', job_id: JOB }])
  stopOther()
  expect(made[0]?.sent).toEqual([{ type: 'subscribe', job_id: JOB }, { type: 'unsubscribe', job_id: JOB }])
})

it('tells all jobs, and when they were all told', async () => {
  const { socket, made } = setUp()
  const heard: unknown[] = []
  socket.subscribeAll((message) => heard.push('type' in message ? message.type : message.job_id))
  await settled()
  made[0]?.say({ type: 'ready' })
  expect(made[0]?.sent).toEqual([{ type: 'subscribe', all: true }])
  made[0]?.say({ type: 'status', ...job() })
  made[0]?.say({ type: 'subscribed', all: true })
  expect(heard).toEqual([JOB, 'ready'])
})

it('goes on with all jobs where the connection before was cut', async () => {
  const { clock, socket, made } = setUp()
  const heard: unknown[] = []
  socket.subscribeAll((message) => heard.push(message))
  await settled()
  made[0]?.say({ type: 'ready' })
  made[0]?.say({ type: 'subscribed', all: true, cursor: '1000' })
  made[0]?.say({ type: 'status', cursor: '2000', ...job() })
  expect(heard).toEqual([{ type: 'ready' }, job()])
  made[0]?.end(1006)
  await clock.advance(5_000)
  made[1]?.say({ type: 'ready' })
  expect(made[1]?.sent).toEqual([{ type: 'subscribe', all: true, since: '2000' }])
})

it('tells who asked for an unknown job', async () => {
  const { socket, made } = setUp()
  const errors: string[] = []
  socket.subscribe(JOB, () => undefined, (error) => errors.push(error.code))
  await settled()
  made[0]?.say({ type: 'ready' })
  made[0]?.say({ type: 'error', code: 'job_not_found', message: 'There is no such job.', job_id: JOB })
  made[0]?.onmessage?.({ data: 'nonsense' })
  expect(errors).toEqual(['job_not_found'])
})

it('subscribes to many jobs no faster than the server takes it', async () => {
  const { clock, socket, made } = setUp()
  for (let number = 0; number < 200; number += 1) socket.subscribe(`job-${number}`, () => undefined)
  await settled()
  made[0]?.say({ type: 'ready' })
  expect(made[0]?.sent).toHaveLength(60)
  await clock.advance(1_000)
  expect(made[0]?.sent.length).toBeLessThan(80)
  await clock.advance(10_000)
  expect(made[0]?.sent.filter((message) => (message as { type: string }).type === 'subscribe')).toHaveLength(200)
})

it('asks again for what could not be told at the moment, and not for what is over', async () => {
  const { clock, socket, made } = setUp()
  const errors: unknown[] = []
  socket.subscribe(JOB, () => undefined, (error) => errors.push(error))
  socket.subscribe('over', () => undefined)
  await settled()
  made[0]?.say({ type: 'ready' })
  made[0]?.say({ type: 'status', ...job({ job_id: 'over', status: 'failed' }) })
  made[0]?.say({ type: 'error', code: 'ledger_unavailable', message: 'Not right now.', job_id: JOB })
  await clock.advance(5_900)
  expect(made).toHaveLength(1)
  await clock.advance(2_000)
  made[1]?.say({ type: 'ready' })
  expect(made[1]?.sent).toEqual([{ type: 'subscribe', job_id: JOB }])
  expect(errors).toEqual([])
})

it('leaves nothing behind when it is closed', async () => {
  const { clock, socket, made } = setUp()
  await settled()
  made[0]?.say({ type: 'ready' })
  socket.close()
  made[0]?.say({ type: 'status', ...job() })
  made[0]?.end(1000)
  await clock.advance(60_000)
  expect([socket.state, made.length, clock.waiting, made[0]?.closedWith]).toEqual(['closed', 1, 0, 1000])
})
