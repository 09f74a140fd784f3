import { afterEach, describe, expect, it, vi } from 'vitest'
import { browser, CANCEL, DONE, INITIATE, listened, OTHER, RUNNING } from './browser.js'
import { answer, EVENTS, FakeDocument, FakeStream, job, JOB, problem, settled, STATUS } from './fakes.js'

afterEach(() => vi.unstubAllGlobals())

describe('a token that cannot be had', () => {
  it('for a moment does not end the following', async () => {
    let isAway = false
    const token = () => (isAway ? Promise.reject(new TypeError('Failed to fetch')) : 't')
    const { server, clock, tab } = browser()
    const stream = new FakeStream()
    server.on(INITIATE, () => answer(job())).onEach(EVENTS, stream.handler, () => problem(404, 'not_found'))
    server.on(STATUS, () => answer(DONE))
    const store = tab({ fileId: 70000 }, { token })
    listened(store)
    await store.start()
    await settled()
    stream.tell(RUNNING)
    await settled()
    isAway = true
    stream.close()
    await clock.advance(10_000)
    expect(store.getState()).toMatchObject({ phase: 'processing', connection: 'offline' })
    isAway = false
    await clock.advance(30_000)
    expect(store.getState().phase).toBe('completed')
  })

  it('leaves a way on: to start follows the same job again', async () => {
    const { server, tab } = browser()
    const stream = new FakeStream()
    server.on(INITIATE, () => answer(job())).onEach(EVENTS, () => problem(401, 'unauthenticated'), stream.handler)
    const store = tab()
    listened(store)
    await store.start()
    await settled()
    expect(store.getState()).toMatchObject({ phase: 'queued', connection: 'idle', error: { code: 'unauthenticated' } })
    await store.start()
    expect(store.getState().error).toBeUndefined()
    await settled()
    stream.tell(RUNNING)
    await settled()
    expect(store.getState()).toMatchObject({ phase: 'processing', connection: 'live' })
    expect([server.calls(INITIATE).length, server.calls(EVENTS).length]).toEqual([1, 2])
  })
})

describe('a cancel', () => {
  it('that is answered late does not bring its job back', async () => {
    const { server, tab } = browser()
    const stream = new FakeStream()
    let answerCancel: (response: Response) => void = () => undefined
    server.onEach(INITIATE, () => answer(job()), () => answer(job({ job_id: OTHER })))
    server.on(EVENTS, stream.handler).on(`GET /v1/download/events/${OTHER}`, new FakeStream().handler)
    server.on(CANCEL, () => new Promise((resolve) => (answerCancel = resolve)))
    const store = tab()
    listened(store)
    await store.start()
    await settled()
    const cancelling = store.cancel()
    await settled()
    stream.tell(job({ status: 'cancelled', version: 4 }))
    await settled()
    await store.start()
    answerCancel(answer({ job_id: JOB, status: 'cancelled' }))
    await cancelling
    await settled()
    expect(store.getState()).toMatchObject({ phase: 'queued', job: { job_id: OTHER } })
  })

  it('is not taken back by what was told before it', async () => {
    const { server, tab } = browser()
    const [one, two] = [new FakeStream(), new FakeStream()]
    server.on(INITIATE, () => answer(job())).onEach(EVENTS, one.handler, two.handler)
    server.on(CANCEL, () => answer({ job_id: JOB, status: 'cancelled' }))
    const store = tab()
    const { phases } = listened(store)
    await store.start()
    await settled()
    one.tell(RUNNING)
    await settled()
    await store.cancel()
    await settled()
    two.tell(RUNNING)
    two.tell(job({ status: 'cancelled', version: 4 }))
    await settled()
    expect(phases).toEqual(['starting', 'queued', 'processing', 'cancelled'])
  })

  it('of a job that was named by its id is followed by a new job', async () => {
    const { server, tab } = browser()
    const retry = `POST /v1/download/retry/${JOB}`
    server.on(EVENTS, () => problem(404, 'not_found')).on(STATUS, () => answer(job({ status: 'cancelled', version: 4 })))
    server.on(retry, () => answer(job({ job_id: OTHER, retry_of: JOB })))
    const store = tab({ jobId: JOB })
    listened(store)
    await settled()
    expect(store.getState().phase).toBe('cancelled')
    await store.start()
    expect(store.getState()).toMatchObject({ phase: 'queued', job: { job_id: OTHER } })
    expect(server.calls(retry)).toHaveLength(1)
  })
})

describe('a browser that forbids', () => {
  it('locks lets a download start', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(job()))
    const request = () => Promise.reject(new DOMException('Access to the Locks API is denied.', 'SecurityError'))
    vi.stubGlobal('navigator', { locks: { request } })
    const store = tab()
    await store.start()
    expect(store.getState()).toEqual({ phase: 'queued', job: job(), connection: 'idle' })
  })

  it('channels lets a download be shown and started', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(job())).on(EVENTS, new FakeStream().handler)
    class Forbidden {
      constructor() {
        throw new DOMException('The operation is insecure.', 'SecurityError')
      }
    }
    vi.stubGlobal('document', new FakeDocument())
    vi.stubGlobal('BroadcastChannel', Forbidden)
    const store = tab({ fileId: 70000 }, { channel: undefined })
    listened(store)
    await store.start()
    expect(store.getState().phase).toBe('queued')
  })
})

describe('users', () => {
  it('in two tabs do not see or disturb each other’s download', async () => {
    const { server, storage, tab } = browser()
    const stream = new FakeStream()
    server.onEach(INITIATE, () => answer(job()), () => answer(job({ job_id: OTHER })))
    server.on(EVENTS, stream.handler).on(`GET /v1/download/events/${OTHER}`, new FakeStream().handler)
    const anna = tab({ fileId: 70000 }, { user: 'anna' })
    const bert = tab({ fileId: 70000 }, { user: 'bert' })
    listened(anna)
    listened(bert)
    await anna.start()
    await settled()
    stream.tell(RUNNING)
    await settled()
    expect(bert.getState().phase).toBe('idle')
    await bert.start()
    await settled()
    expect(anna.getState()).toMatchObject({ phase: 'processing', job: { job_id: JOB } })
    expect(bert.getState()).toMatchObject({ phase: 'queued', job: { job_id: OTHER } })
    expect(storage.length).toBe(2)
    expect(storage.text).not.toMatch(/anna|bert/)
  })

  it('who follow each other on a page see nothing of the one before, even where they may read all jobs', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(DONE)).on(EVENTS, () => problem(404, 'not_found')).on(STATUS, () => answer(DONE))
    const anna = tab({ fileId: 70000 }, { user: 'anna' })
    listened(anna)
    await anna.start()
    anna.dispose()
    const before = server.asked.length
    const admin = tab({ fileId: 70000 }, { user: 'admin' })
    listened(admin)
    await settled()
    expect(admin.getState()).toEqual({ phase: 'idle', connection: 'idle' })
    expect(server.asked).toHaveLength(before)
  })
})

it('a reloaded page shows at once that there is a job', async () => {
  const { server, tab } = browser()
  server.on(INITIATE, () => answer(job())).on(EVENTS, new FakeStream().handler)
  const before = tab()
  await before.start()
  const reloaded = tab()
  expect(reloaded.getState().phase).toBe('starting')
  const forgetful = tab()
  server.on(EVENTS, () => problem(404, 'job_not_found'))
  listened(reloaded)
  await settled()
  expect(reloaded.getState().phase).toBe('idle')
  listened(forgetful)
  expect(forgetful.getState().phase).toBe('idle')
})
