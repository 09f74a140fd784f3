import { describe, expect, it } from 'vitest'
import { answer, broken, Collected, EVENTS, FakeStream, job, never, problem, settled, STATUS } from './fakes.js'
import { DONE, looks, RUNNING, setUp } from './following.js'

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
