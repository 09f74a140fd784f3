import { describe, expect, it } from 'vitest'
import { HaulierClient, type ClientOptions, type Connection, type FollowOptions } from '../src/index.js'
import {
  answer,
  broken,
  Collected,
  EVENTS,
  FakeClock,
  FakeDocument,
  FakeServer,
  FakeStream,
  job,
  JOB,
  never,
  problem,
  settled,
  STATUS,
} from './fakes.js'

const DONE = job({ status: 'completed', progress: 100, version: 9 })
const RUNNING = job({ status: 'processing', progress: 50, version: 3 })

function setUp(options: Partial<ClientOptions> = {}) {
  const server = new FakeServer()
  const clock = new FakeClock()
  const document = new FakeDocument()
  const client = new HaulierClient({ token: 'secret', fetch: server.fetch, clock, random: () => 0.5, ...options })
  const ways: Connection[] = []
  const follow = (more: FollowOptions = {}) =>
    new Collected(
      client.follow(JOB, { document: document.asDocument, onTransport: (way) => ways.push(way), ...more }),
    )
  return { server, clock, document, client, ways, follow }
}

/** Answers of the status call that tell `jobs` one after the other, with ETags. */
function looks(...jobs: ReturnType<typeof job>[]) {
  return jobs.map((each) => () => answer(each, { ETag: `"${each.version}"`, 'Retry-After': '2' }))
}

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

describe('falling back', () => {
  it.each([404, 405, 501])('long-polls an older server that answers a stream with %i', async (status) => {
    const { server, clock, ways, follow } = setUp()
    server.on(EVENTS, () => problem(status, 'not_found'))
    server.onEach(STATUS, ...looks(RUNNING), never)
    const seen = follow()
    await settled()
    expect(seen.got).toEqual([RUNNING])
    expect(ways).toEqual(['long-poll'])
    expect(server.calls(STATUS)[1]?.path).toContain('wait=25')
    expect(server.calls(STATUS)[1]?.headers.get('if-none-match')).toBe('"3"')
    await clock.advance(0)
    expect(server.calls(EVENTS)).toHaveLength(1)
  })

  it('long-polls where a proxy holds the stream back, and tries the stream again later', async () => {
    const { server, clock, ways, follow } = setUp()
    const stream = new FakeStream()
    server.onEach(EVENTS, never, stream.handler)
    server.onEach(STATUS, ...looks(job()), async () => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 25_000))
      return new Response(null, { status: 304, headers: { ETag: '"1"' } })
    })
    const seen = follow()
    await clock.advance(8_000)
    expect(seen.got).toHaveLength(1)
    await clock.advance(76_000)
    expect(server.calls(EVENTS)).toHaveLength(2)
    stream.tell(DONE)
    await settled()
    expect(seen.ended).toBe(true)
    expect(ways).toEqual(['long-poll', 'sse'])
  })

  it('long-polls where only the first bytes of streams come through', async () => {
    const { server, clock, ways, follow } = setUp()
    const streams = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, ...streams.map((stream) => stream.handler)).onEach(STATUS, ...looks(RUNNING), never)
    follow()
    for (const stream of streams) {
      await settled()
      stream.tell(RUNNING)
      await clock.advance(36_500)
    }
    expect(ways).toEqual(['sse', 'long-poll'])
  })

  it('polls a server that does not hold the answer back, without hammering it', async () => {
    const { server, clock, ways, follow } = setUp({ transports: ['long-poll', 'poll'] })
    server.onEach(STATUS, () => answer(RUNNING, { ETag: '"3"' }))
    follow()
    await clock.advance(55_000)
    expect(ways).toEqual(['long-poll', 'poll'])
    expect(server.asked.length).toBeGreaterThan(4)
    expect(server.asked.length).toBeLessThan(15)
  })

  it('polls as often as the server says, else more and more rarely, and returns to the pace after news', async () => {
    const { server, clock, follow } = setUp({ transports: ['poll'] })
    const times: number[] = []
    let version = 1
    server.on(STATUS, () => {
      times.push(clock.now())
      return answer(job({ version }))
    })
    follow()
    await clock.advance(60_000)
    const waits = times.slice(1).map((time, index) => Math.round((time - (times[index] as number)) / 1000))
    expect(waits.slice(0, 6)).toEqual([1, 2, 4, 8, 10, 10])
    version = 2
    await clock.advance(12_000)
    expect(times.length).toBeGreaterThan(waits.length + 2)
    server.on(STATUS, () => {
      times.push(clock.now())
      return answer(job({ version }), { 'Retry-After': '3' })
    })
    await clock.advance(11_000)
    const before = times.length
    await clock.advance(30_000)
    expect(times.length - before).toBe(10)
  })

  it('says that it is offline, goes on asking, and returns to the stream at once when the server is back', async () => {
    const { server, clock, ways, follow } = setUp()
    const stream = new FakeStream()
    server.on(EVENTS, broken).on(STATUS, broken)
    const seen = follow()
    await clock.advance(25_000)
    expect(ways).toEqual(['offline'])
    server.on(STATUS, looks(RUNNING)[0] as never).on(EVENTS, stream.handler)
    await clock.advance(13_000)
    expect(ways.slice(0, 2)).toEqual(['offline', 'poll'])
    stream.tell(DONE)
    await settled()
    expect(ways.at(-1)).toBe('sse')
    expect(seen.got.map((each) => each.status)).toEqual(['processing', 'completed'])
  })

  it('polls while this client holds enough connections, and takes one that becomes free', async () => {
    const { server, clock, client, ways, follow } = setUp()
    const others = [new FakeStream(), new FakeStream()]
    others.forEach((stream, index) => server.on(`GET /v1/download/events/other-${index}`, stream.handler))
    others.forEach((_, index) => new Collected(client.follow(`other-${index}`)))
    const stream = new FakeStream()
    server.on(EVENTS, stream.handler)
    server.onEach(STATUS, ...looks(RUNNING))
    await settled()
    follow()
    await clock.advance(1_000)
    expect(ways).toEqual(['poll'])
    others[0]?.tell(job({ job_id: 'other-0', status: 'failed', version: 2 }))
    await clock.advance(3_000)
    expect(server.calls(EVENTS)).toHaveLength(1)
  })

  it.each(['sse', 'long-poll'] as const)('does not hammer a server that cannot do the only way allowed, %s', async (way) => {
    const { server, clock, follow } = setUp({ transports: [way] })
    server.on(EVENTS, () => problem(404, 'not_found')).on(STATUS, () => answer(RUNNING))
    follow()
    await clock.advance(60_000)
    expect(server.asked.length).toBeGreaterThan(4)
    expect(server.asked.length).toBeLessThan(10)
  })

  it('leaves the stream alone for a while when the user has too many', async () => {
    const { server, clock, ways, follow } = setUp()
    server.on(EVENTS, () => problem(429, 'too_many_streams', { 'Retry-After': '5' }))
    server.onEach(STATUS, ...looks(RUNNING), never)
    follow()
    await clock.advance(20_000)
    expect(ways).toEqual(['long-poll'])
    expect(server.calls(EVENTS)).toHaveLength(1)
  })
})

describe('in a hidden tab', () => {
  it('does not poll, and looks at once when it is shown again', async () => {
    const { server, clock, document, follow } = setUp({ transports: ['poll'] })
    server.onEach(STATUS, ...looks(RUNNING))
    follow()
    await clock.advance(3_000)
    const before = server.asked.length
    document.become('hidden')
    await clock.advance(600_000)
    expect(server.asked).toHaveLength(before)
    document.become('visible')
    await settled()
    expect(server.asked).toHaveLength(before + 1)
  })

  it('looks once even when it was never shown', async () => {
    const { server, clock, document, follow } = setUp({ transports: ['poll'] })
    document.become('hidden')
    server.onEach(STATUS, ...looks(RUNNING))
    const seen = follow()
    await clock.advance(60_000)
    expect(seen.got).toHaveLength(1)
    expect(server.asked).toHaveLength(1)
  })

  it('gives its stream back after a minute, and opens it when it is shown again', async () => {
    const { server, clock, document, follow } = setUp()
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, first.handler, second.handler)
    const seen = follow()
    await settled()
    first.tell(RUNNING)
    document.become('hidden')
    for (let beat = 0; beat < 4; beat += 1) {
      await clock.advance(14_000)
      first.write(': \n\n')
    }
    expect(server.asked[0]?.signal.aborted).toBe(false)
    await clock.advance(10_000)
    expect(server.asked[0]?.signal.aborted).toBe(true)
    await clock.advance(600_000)
    expect(server.asked).toHaveLength(1)
    document.become('visible')
    await settled()
    second.tell(DONE)
    await settled()
    expect(seen.ended).toBe(true)
  })
})
