import { expect, it } from 'vitest'
import { DownloadsStore, HaulierClient, type ClientOptions } from '../src/index.js'
import {
  answer,
  Collected,
  EVENTS,
  FakeClock,
  FakeServer,
  FakeStream,
  HeldAnswers,
  job,
  JOB,
  numbered,
  problem,
  settled,
  STATUS,
  statusOf,
} from './fakes.js'

const ALL = 'GET /v1/download/events'
const LIST = 'GET /v1/download/jobs'
const RUNNING = job({ status: 'processing', progress: 50, version: 3 })
const DONE = job({ status: 'completed', version: 9 })
const READY = 'id: c1\nevent: ready\ndata: {}\n\n'
const page = (...jobs: ReturnType<typeof job>[]) => answer({ jobs, total: jobs.length, page: 1, limit: 50, next_cursor: null })

/** A stream that breaks and does not come back, and a list that goes on. */
function setUp(options: Partial<ClientOptions> = {}) {
  const server = new FakeServer()
  const clock = new FakeClock()
  const client = new HaulierClient({ token: 't', fetch: server.fetch, clock, random: () => 0.5, ...options })
  const stream = new FakeStream()
  const list = { jobs: [RUNNING] }
  server.onEach(ALL, stream.handler, () => problem(404, 'not_found')).on(LIST, () => page(...list.jobs))
  return { server, clock, client, stream, list }
}

it('tells the end of a job that came while the stream was lost', async () => {
  const { clock, client, stream, list } = setUp()
  const seen = new Collected(client.followAll({ document: null }))
  await settled()
  stream.tell(RUNNING)
  stream.write(READY)
  await settled()
  list.jobs = [DONE, job({ job_id: 'long-over', status: 'failed' })]
  stream.close()
  await clock.advance(30_000)
  const told = seen.got.map((each) => ('type' in each ? each.type : `${each.job_id} ${each.status}`))
  expect([...new Set(told)]).toEqual([`${JOB} processing`, 'ready', `${JOB} completed`])
})

it('lists what began and ended while the stream was lost', async () => {
  const { clock, client, stream, list } = setUp()
  const store = new DownloadsStore(client, { document: null })
  store.subscribe(() => undefined)
  await settled()
  stream.tell(RUNNING)
  stream.write(READY)
  await settled()
  list.jobs = [DONE, job({ job_id: 'short', status: 'completed' })]
  stream.close()
  await clock.advance(120_000)
  expect(store.getState().connection).toBe('polling')
  expect(store.getState().jobs.map((each) => each.status)).toEqual(['completed', 'completed'])
})

it('lists what ended while nobody looked, where there are no streams', async () => {
  const { clock, client, list } = setUp({ transports: ['poll'] })
  const store = new DownloadsStore(client, { document: null })
  const stop = store.subscribe(() => undefined)
  await clock.advance(100)
  expect(store.getState().jobs[0]?.status).toBe('processing')
  stop()
  list.jobs = [DONE]
  store.subscribe(() => undefined)
  await clock.advance(100)
  expect(store.getState().jobs[0]?.status).toBe('completed')
})

it('does not bring all streams back at the moment that the server named', async () => {
  const waits = []
  for (const chance of [0, 0.99]) {
    const { server, clock, client } = setUp({ random: () => chance })
    server.on(EVENTS, () => problem(503, 'ledger_unavailable', { 'Retry-After': '5' }))
    new Collected(client.follow(JOB, { document: null }))
    await settled()
    const begun = clock.now()
    while (server.calls(EVENTS).length < 2) await clock.advance(100)
    waits.push(clock.now() - begun)
  }
  const [least, most] = waits as [number, number]
  expect(least).toBeGreaterThanOrEqual(5_000)
  expect(most - least).toBeGreaterThan(2_000)
  expect(most).toBeLessThan(9_000)
})

/** Follows a stream that told `count` living jobs, and then another one. */
async function reconnected(count: number) {
  const { server, clock, client, stream, list } = setUp()
  const second = new FakeStream()
  server.onEach(ALL, stream.handler, second.handler)
  const gone: string[] = []
  const seen = new Collected(client.followAll({ document: null, onGone: (jobId) => gone.push(jobId) }))
  await settled()
  for (let number = 0; number < count; number += 1) stream.tell(numbered(number))
  stream.write(READY)
  await settled()
  stream.close()
  await clock.advance(3_000)
  seen.got.length = 0
  const told = () => seen.got.map((each) => ('type' in each ? each.type : `${each.job_id} ${each.status}`))
  return { server, second, seen, told, gone, list }
}

it('looks up what lived and is told no more by another stream, a few at once', async () => {
  const { server, second, told } = await reconnected(8)
  const held = new HeldAnswers()
  for (let number = 1; number < 8; number += 1) {
    server.on(statusOf(number), held.handler(numbered(number, { status: 'completed', version: 9 })))
  }
  second.tell(numbered(0, { version: 2 }))
  await settled()
  expect(held.count).toBe(0)
  second.write(READY)
  await settled()
  expect(held.count).toBe(4)
  await held.letGo()
  await held.letGo()
  expect(server.calls(statusOf(0))).toEqual([])
  expect(told()).toEqual(['job-0 queued', 'ready', ...[1, 2, 3, 4, 5, 6, 7].map((number) => `job-${number} completed`)])
})

it('lists those that still live where it would look many up', async () => {
  const { server, second, told, list } = await reconnected(60)
  list.jobs = Array.from({ length: 59 }, (_, number) => numbered(number + 1))
  server.on(statusOf(0), () => answer(numbered(0, { status: 'completed', version: 9 })))
  second.write(READY)
  await settled()
  await settled()
  expect(told()).toEqual(['ready', 'job-0 completed'])
  expect(server.calls(LIST).map((asked) => asked.path.split('?')[1])).toEqual(['status=queued&limit=100', 'status=processing&limit=100'])
})

it('says which job that lived is not there any more, and goes on', async () => {
  const { server, second, seen, told, gone } = await reconnected(1)
  server.on(statusOf(0), () => problem(404, 'job_not_found'))
  second.write(READY)
  await settled()
  second.tell(numbered(1))
  await settled()
  expect([told(), gone, seen.error]).toEqual([['ready', 'job-1 queued'], ['job-0'], undefined])
})

it('polls on without a job that is not there any more', async () => {
  const { server, clock, client, list } = setUp({ transports: ['poll'] })
  server.on(STATUS, () => problem(404, 'job_not_found'))
  const store = new DownloadsStore(client, { document: null })
  store.subscribe(() => undefined)
  await clock.advance(100)
  list.jobs = []
  await clock.advance(60_000)
  expect(store.getState()).toEqual({ jobs: [], ready: true, connection: 'polling' })
  expect(server.calls(STATUS)).toHaveLength(1)
})
