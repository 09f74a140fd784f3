import { describe, expect, it } from 'vitest'
import { EVENTS, FakeStream, job, JOB, problem, settled, STATUS } from './fakes.js'
import { DONE, looks, RUNNING, setUp } from './following.js'

describe('by stream', () => {
  it('tells the snapshot and each change, and ends with the terminal one', async () => {
    const { server, ways, follow } = setUp()
    const stream = new FakeStream()
    server.on(EVENTS, stream.handler)
    const seen = follow()
    await settled()
    stream.write('retry: 2000\n\n')
    stream.tell(job())
    stream.tell(RUNNING)
    stream.write(': \n\n')
    stream.tell(DONE)
    await settled()
    expect(seen.got.map((each) => each.status)).toEqual(['queued', 'processing', 'completed'])
    expect(seen.ended).toBe(true)
    expect(ways).toEqual(['sse'])
    expect(server.asked).toHaveLength(1)
  })

  it('connects again with the version it has, and never goes back', async () => {
    const { server, clock, follow } = setUp()
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, first.handler, second.handler)
    const seen = follow()
    await settled()
    first.tell(RUNNING)
    await settled()
    first.close()
    await clock.advance(3_000)
    expect(server.asked[1]?.headers.get('last-event-id')).toBe('3')
    second.tell(job({ version: 2 }))
    second.tell(RUNNING)
    second.tell(job({ status: 'cancelled', version: 4 }))
    await settled()
    expect(seen.got.map((each) => each.version)).toEqual([3, 4])
    expect(seen.ended).toBe(true)
  })

  it('takes a stream that is silent for 35 s for dead', async () => {
    const { server, clock, ways, follow } = setUp()
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, first.handler, second.handler)
    follow()
    await settled()
    first.tell(RUNNING)
    await clock.advance(30_000)
    first.write(': \n\n')
    await clock.advance(34_000)
    expect(server.asked).toHaveLength(1)
    await clock.advance(3_000)
    expect(server.asked).toHaveLength(2)
    expect(ways).toEqual(['sse'])
  })

  it('looks once more when the server has nothing more to tell', async () => {
    const { server, clock, follow } = setUp()
    const stream = new FakeStream()
    server.onEach(EVENTS, stream.handler, () => new Response(null, { status: 204 }))
    server.onEach(STATUS, ...looks(DONE))
    const seen = follow()
    await settled()
    stream.tell(RUNNING)
    await settled()
    stream.close()
    await clock.advance(3_000)
    expect(seen.got.map((each) => each.status)).toEqual(['processing', 'completed'])
    expect(seen.ended).toBe(true)
  })

  it('raises what is refused for good', async () => {
    const { server, follow } = setUp()
    server.on(EVENTS, () => problem(404, 'job_not_found'))
    const seen = follow()
    await settled()
    expect(seen.error).toMatchObject({ code: 'job_not_found' })
  })

  it('asks for a token once more when the old one has expired, and goes on', async () => {
    let made = 0
    const { server, clock, follow } = setUp({ token: () => `t${++made}` })
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, first.handler, () => problem(401, 'unauthenticated'), second.handler)
    const seen = follow()
    await settled()
    first.tell(RUNNING)
    first.write('event: end\ndata: {"code":"token_expired","message":"."}\n\n')
    await clock.advance(3_000)
    second.tell(DONE)
    await settled()
    expect(server.asked.map((asked) => asked.headers.get('authorization'))).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t3'])
    expect(seen.ended).toBe(true)
  })

  it('lets go of the connection when the listener leaves', async () => {
    const { server, clock, client } = setUp()
    const stream = new FakeStream()
    server.on(EVENTS, stream.handler)
    const reading = (async () => {
      for await (const each of client.follow(JOB)) return each
      return undefined
    })()
    await settled()
    stream.tell(RUNNING)
    expect((await reading)?.version).toBe(3)
    await settled()
    expect(server.asked[0]?.signal.aborted).toBe(true)
    expect(clock.waiting).toBe(0)
  })

  it('ends with the reason of the signal', async () => {
    const { server, clock, follow } = setUp()
    server.on(EVENTS, new FakeStream().handler)
    const stop = new AbortController()
    const seen = follow({ signal: stop.signal })
    await settled()
    stop.abort(new Error('enough'))
    await settled()
    expect(seen.error).toMatchObject({ message: 'enough' })
    expect(clock.waiting).toBe(0)
  })
})
