import { HaulierClient, type ClientOptions, type Connection, type FollowOptions } from '../src/index.js'
import { answer, Collected, FakeClock, FakeDocument, FakeServer, job, JOB } from './fakes.js'

export const DONE = job({ status: 'completed', progress: 100, version: 9 })
export const RUNNING = job({ status: 'processing', progress: 50, version: 3 })

/** A client that follows `JOB`, and the ways that its news came. */
export function setUp(options: Partial<ClientOptions> = {}) {
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
export function looks(...jobs: ReturnType<typeof job>[]) {
  return jobs.map((each) => () => answer(each, { ETag: `"${each.version}"`, 'Retry-After': '2' }))
}
