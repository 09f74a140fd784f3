import { expect, it } from 'vitest'
import { DownloadsStore, HaulierClient, type DownloadsStoreOptions } from '../src/index.js'
import { answer, FakeClock, FakeServer, FakeStream, job, problem, settled } from './fakes.js'

const ALL = 'GET /v1/download/events'
const LIST = 'GET /v1/download/jobs'

function setUp(options: DownloadsStoreOptions = {}) {
  const server = new FakeServer()
  const clock = new FakeClock()
  const client = new HaulierClient({ token: 't', fetch: server.fetch, clock, random: () => 0.5 })
  const store = new DownloadsStore(client, { document: null, ...options })
  let told = 0
  const stop = store.subscribe(() => (told += 1))
  return { server, clock, store, stop, told: () => told }
}

function numbered(number: number, changes: Partial<ReturnType<typeof job>> = {}) {
  const minute = String(number).padStart(2, '0')
  return job({ job_id: `job-${number}`, created_at: `2026-11-25T09:${minute}:00.000Z`, ...changes })
}

const page = (...jobs: ReturnType<typeof job>[]) => answer({ jobs, total: jobs.length, page: 1, limit: 50, next_cursor: null })

it('lists what is over and what lives, newest first, and follows', async () => {
  const { server, store, stop } = setUp()
  const stream = new FakeStream()
  server.on(ALL, stream.handler).on(LIST, () => page(numbered(1, { status: 'completed' }), numbered(2)))
  await settled()
  stream.tell(numbered(2, { version: 4 }))
  await settled()
  expect(store.getState().ready).toBe(false)
  stream.write('id: c1\nevent: ready\ndata: {}\n\n')
  await settled()
  expect(store.getState()).toMatchObject({ ready: true, connection: 'live' })
  expect(store.getState().jobs.map((each) => [each.job_id, each.version])).toEqual([['job-2', 4], ['job-1', 1]])
  stream.tell(numbered(3))
  stream.tell(numbered(2, { version: 3 }))
  await settled()
  expect(store.getState().jobs.map((each) => each.job_id)).toEqual(['job-3', 'job-2', 'job-1'])
  expect(store.getState().jobs[1]?.version).toBe(4)
  stop()
  await settled()
  expect(server.calls(ALL)[0]?.signal.aborted).toBe(true)
})

it('keeps the place in the queue, which the list does not know', async () => {
  const { server, store } = setUp()
  const stream = new FakeStream()
  server.on(ALL, stream.handler).on(LIST, () => page(numbered(1), numbered(2, { version: 3, status: 'processing' })))
  await settled()
  stream.tell(numbered(1, { queue_position: 7 }))
  stream.tell(numbered(2, { queue_position: 8 }))
  stream.write('event: ready\ndata: {}\n\n')
  await settled()
  expect(store.getState().jobs.map((each) => [each.status, each.queue_position])).toEqual([['processing', undefined], ['queued', 7]])
})

it('knows the end of a job that came while nobody listened', async () => {
  const { server, store, stop } = setUp()
  const [first, second] = [new FakeStream(), new FakeStream()]
  server.onEach(ALL, first.handler, second.handler).on(LIST, () => page())
  server.on('GET /v1/download/status/job-1', () => answer(numbered(1, { status: 'failed', version: 5 })))
  await settled()
  first.tell(numbered(1))
  first.write('event: ready\ndata: {}\n\n')
  await settled()
  stop()
  store.subscribe(() => undefined)
  await settled()
  second.write('event: ready\ndata: {}\n\n')
  await settled()
  expect(store.getState().jobs.map((each) => each.status)).toEqual(['failed'])
})

it('connects again behind the cursor', async () => {
  const { server, clock } = setUp()
  const [first, second] = [new FakeStream(), new FakeStream()]
  server.onEach(ALL, first.handler, second.handler).on(LIST, () => page())
  await settled()
  first.write('id: c7\nevent: ready\ndata: {}\n\nevent: end\ndata: {"code":"stopping","message":"."}\n\n')
  await clock.advance(3_000)
  expect(server.calls(ALL)[1]?.headers.get('last-event-id')).toBe('c7')
})

it('looks through the list where there are no streams', async () => {
  const { server, clock, store } = setUp()
  let jobs = [numbered(2), numbered(1, { status: 'completed' })]
  server.on(ALL, () => problem(404, 'not_found')).on(LIST, () => page(...jobs))
  await clock.advance(0)
  expect(store.getState()).toMatchObject({ ready: true, connection: 'polling' })
  expect(store.getState().jobs).toHaveLength(2)
  jobs = [numbered(3), numbered(2, { status: 'completed', version: 5 })]
  await clock.advance(10_000)
  expect(store.getState().jobs.map((each) => each.status)).toEqual(['queued', 'completed', 'completed'])
})

it('keeps to the limit, but never drops a job that lives', async () => {
  const { server, store } = setUp({ limit: 2 })
  const stream = new FakeStream()
  const over = { status: 'completed' } as const
  server.on(ALL, stream.handler).on(LIST, () => page(numbered(4, over), numbered(3, over), numbered(2, over)))
  await settled()
  stream.tell(numbered(1))
  stream.write('event: ready\ndata: {}\n\n')
  await settled()
  expect(store.getState().jobs.map((each) => each.job_id)).toEqual(['job-4', 'job-3', 'job-1'])
})

it('begins again when it is told to', async () => {
  const { server, store, stop } = setUp()
  const stream = new FakeStream()
  server.onEach(ALL, () => problem(401, 'unauthenticated'), stream.handler).on(LIST, () => page(numbered(1)))
  await settled()
  expect(store.getState().error).toMatchObject({ code: 'unauthenticated' })
  store.restart()
  expect(store.getState().error).toBeUndefined()
  await settled()
  stream.write('event: ready\ndata: {}\n\n')
  await settled()
  expect(store.getState()).toMatchObject({ ready: true, connection: 'live' })
  stop()
  store.restart()
  await settled()
  expect(server.calls(ALL)).toHaveLength(2)
})

it('says when it may not', async () => {
  const { server, store, told } = setUp()
  server.on(ALL, () => problem(401, 'unauthenticated'))
  await settled()
  expect(store.getState()).toMatchObject({ connection: 'idle', error: { code: 'unauthenticated' } })
  const before = told()
  store.dispose()
  expect(told()).toBe(before)
})
