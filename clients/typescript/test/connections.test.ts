import { afterEach, describe, expect, it, vi } from 'vitest'
import { HaulierClient, type Connection } from '../src/index.js'
import { answer, Collected, FakeClock, FakeDocument, FakeLocks, FakeServer, FakeStream, job, settled } from './fakes.js'

const LIST = 'GET /v1/download/jobs'

afterEach(() => vi.unstubAllGlobals())

/** Tabs of one browser, each with a client of its own. */
function windows(locks: unknown) {
  const document = new FakeDocument()
  vi.stubGlobal('document', document)
  vi.stubGlobal('navigator', { locks })
  const server = new FakeServer()
  const clock = new FakeClock()
  const streams: FakeStream[] = []
  server.on(LIST, () => answer({ jobs: [], total: 0, page: 1, limit: 100, next_cursor: null }))
  const tab = () => {
    const client = new HaulierClient({ token: 't', fetch: server.fetch, clock, random: () => 0.5 })
    const ways: Connection[] = []
    const follow = (jobId: string) => {
      const stream = new FakeStream()
      streams.push(stream)
      const now = job({ job_id: jobId, status: 'processing', version: 2 })
      server.on(`GET /v1/download/events/${jobId}`, (asked) => {
        const response = stream.handler(asked)
        stream.tell(now)
        return response
      })
      server.on(`GET /v1/download/status/${jobId}`, () => answer(now))
      const stop = new AbortController()
      const options = { signal: stop.signal, document: document.asDocument, onTransport: (way: Connection) => ways.push(way) }
      return { stop: () => stop.abort(), seen: new Collected(client.follow(jobId, options)) }
    }
    return { client, follow, ways }
  }
  const open = () => server.asked.filter((asked) => asked.path.includes('/events') && !asked.signal.aborted).length
  return { server, clock, document, tab, open }
}

describe('the connections of all windows', () => {
  it('are four at most, so that calls go through in each', async () => {
    const { clock, tab, open } = windows(new FakeLocks())
    const ways = []
    for (let number = 0; number < 4; number += 1) {
      const { follow, ways: own } = tab()
      follow(`a${number}`)
      follow(`b${number}`)
      await clock.advance(0)
      ways.push(own)
    }
    expect(open()).toBe(4)
    expect(ways).toEqual([['sse', 'sse'], ['sse', 'sse'], ['poll', 'poll'], ['poll', 'poll']])
  })

  it('go to the next one when a window has no more need of its own', async () => {
    const { clock, tab, open } = windows(new FakeLocks())
    const [one, other, third] = [tab(), tab(), tab()]
    const first = one.follow('a')
    one.follow('b')
    other.follow('c')
    other.follow('d')
    await settled()
    third.follow('e')
    await clock.advance(0)
    expect(third.ways).toEqual(['poll'])
    first.stop()
    await clock.advance(3_000)
    expect(third.ways).toEqual(['poll', 'sse'])
    expect(open()).toBe(4)
  })

  it.each([
    ['forbids locks', { request: () => Promise.reject(new DOMException('Denied.', 'SecurityError')) }],
    ['has none', undefined],
  ])('are counted for each window where the browser %s', async (_, locks) => {
    const { clock, tab, open } = windows(locks)
    const { follow, ways } = tab()
    for (const jobId of ['a', 'b', 'c']) follow(jobId)
    await clock.advance(0)
    expect(open()).toBe(2)
    expect(ways).toEqual(['sse', 'sse', 'poll'])
  })

  it('are no more for the list of all jobs', async () => {
    const { server, clock, document, tab, open } = windows(undefined)
    const { client, follow } = tab()
    follow('a')
    follow('b')
    await settled()
    const all = new Collected(client.followAll({ document: document.asDocument }))
    await clock.advance(0)
    expect(all.got).toEqual([{ type: 'ready' }])
    expect([open(), server.calls(LIST).length]).toEqual([2, 1])
  })
})
