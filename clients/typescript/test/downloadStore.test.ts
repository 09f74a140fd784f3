import { describe, expect, it } from 'vitest'
import { DownloadStore, HaulierClient, type DownloadKey, type DownloadStoreOptions } from '../src/index.js'
import {
  answer,
  broken,
  EVENTS,
  FakeClock,
  FakeServer,
  FakeStorage,
  FakeStream,
  job,
  JOB,
  problem,
  settled,
  STATUS,
} from './fakes.js'

const INITIATE = 'POST /v1/download/initiate'
const CANCEL = `DELETE /v1/download/cancel/${JOB}`
const OTHER = '0193f2a0-0000-7000-8000-000000000002'
const RUNNING = job({ status: 'processing', progress: 50, version: 3 })
const DONE = job({
  status: 'completed',
  progress: 100,
  version: 4,
  download_url: 'https://store.example/file?signature=abc',
  expires_at: '2026-11-26T10:00:00.000Z',
})

/** Channels of one browser: each hears the others. */
class FakeChannel extends EventTarget {
  static all: FakeChannel[] = []
  static said: unknown[] = []
  constructor() {
    super()
    FakeChannel.all.push(this)
  }
  postMessage(data: unknown): void {
    FakeChannel.said.push(data)
    for (const channel of FakeChannel.all) {
      if (channel !== this) channel.dispatchEvent(new MessageEvent('message', { data }))
    }
  }
}

function browser() {
  const server = new FakeServer()
  const clock = new FakeClock()
  const storage = new FakeStorage()
  FakeChannel.all = []
  FakeChannel.said = []
  const tab = (key: DownloadKey = { fileId: 70000 }, options: DownloadStoreOptions = {}) => {
    const client = new HaulierClient({ token: 'very-secret', fetch: server.fetch, clock, random: () => 0.5 })
    const channel = new FakeChannel() as unknown as BroadcastChannel
    return new DownloadStore(client, key, { storage, channel, document: null, ...options })
  }
  return { server, clock, storage, tab }
}

/** Listens, and keeps the phases that were shown. */
function listened(store: DownloadStore) {
  const phases: string[] = []
  const stop = store.subscribe(() => {
    const { phase } = store.getState()
    if (phases.at(-1) !== phase) phases.push(phase)
  })
  return { phases, stop }
}

describe('a download', () => {
  it('goes from idle to completed', async () => {
    const { server, tab } = browser()
    const stream = new FakeStream()
    server.on(INITIATE, () => answer(job())).on(EVENTS, stream.handler)
    const store = tab()
    const { phases } = listened(store)
    await settled()
    expect(store.getState()).toEqual({ phase: 'idle', connection: 'idle' })
    expect(server.asked).toHaveLength(0)
    await store.start()
    await settled()
    stream.tell(RUNNING)
    await settled()
    expect(store.getState()).toMatchObject({ phase: 'processing', connection: 'live', job: { progress: 50 } })
    stream.tell(DONE)
    await settled()
    expect(phases).toEqual(['starting', 'queued', 'processing', 'completed'])
    expect(store.getState().connection).toBe('idle')
  })

  it('makes one request of two starts at once', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(job()))
    const store = tab()
    await Promise.all([store.start(), store.start()])
    await store.start()
    expect(server.calls(INITIATE)).toHaveLength(1)
  })

  it('says why it could not start, and can be started again', async () => {
    const { server, tab } = browser()
    server.onEach(INITIATE, () => problem(429, 'quota_exceeded', { 'Retry-After': '3600' }), () => answer(job()))
    const store = tab()
    await store.start()
    expect(store.getState()).toMatchObject({ phase: 'idle', error: { code: 'quota_exceeded' } })
    await store.start()
    expect(store.getState()).toMatchObject({ phase: 'queued' })
    expect(store.getState().error).toBeUndefined()
    const [first, second] = server.calls(INITIATE).map((asked) => asked.headers.get('idempotency-key'))
    expect(first).not.toBe(second)
  })

  it('repeats a start whose outcome is not known with the same key', async () => {
    const { server, clock, tab } = browser()
    server.on(INITIATE, broken)
    const store = tab()
    const started = store.start()
    await clock.advance(20_000)
    await started
    expect(store.getState().error?.name).toBe('NetworkError')
    server.on(INITIATE, () => answer(job()))
    await store.start()
    expect(new Set(server.calls(INITIATE).map((asked) => asked.headers.get('idempotency-key'))).size).toBe(1)
  })

  it('takes a retry for another request than a start whose outcome is not known', async () => {
    const { server, clock, tab } = browser()
    server.onEach(INITIATE, () => answer(job({ status: 'failed', version: 5 })), broken)
    server.on(`POST /v1/download/retry/${JOB}`, () => answer(job({ job_id: OTHER })))
    const store = tab()
    await store.start()
    const started = store.start()
    await clock.advance(20_000)
    await started
    expect(store.getState()).toMatchObject({ phase: 'failed', error: { name: 'NetworkError' } })
    await store.retry()
    const keys = server.asked.map((asked) => asked.headers.get('idempotency-key')).filter((key) => key)
    expect(new Set([keys[0], keys[1], keys.at(-1)]).size).toBe(3)
  })

  it('is cancelled, also when it was completed a moment before', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(job())).on(CANCEL, () => answer({ job_id: JOB, status: 'cancelled' }))
    const store = tab({ fileId: 70000 }, { channel: null })
    await store.start()
    await store.cancel()
    expect(store.getState().phase).toBe('cancelled')

    const late = browser()
    late.server.on(INITIATE, () => answer(job())).on(CANCEL, () => problem(409, 'job_finished'))
    late.server.on(EVENTS, () => problem(404, 'not_found')).on(STATUS, () => answer(DONE))
    const other = late.tab()
    await other.start()
    listened(other)
    await other.cancel()
    await settled()
    expect(other.getState().phase).toBe('completed')
    expect(other.getState().error).toBeUndefined()
  })

  it('tells why a job failed, and retries it by a new job', async () => {
    const { server, tab } = browser()
    const failed = job({ status: 'failed', version: 5, error: { code: 'source_missing', message: 'It is gone.' } })
    server.on(INITIATE, () => answer(failed)).on(`POST /v1/download/retry/${JOB}`, () => answer(job({ job_id: OTHER })))
    const store = tab()
    await store.start()
    expect(store.getState()).toMatchObject({ phase: 'failed', error: { code: 'source_missing', message: 'It is gone.' } })
    await store.retry()
    expect(store.getState()).toMatchObject({ phase: 'queued', job: { job_id: OTHER } })
    expect(store.getState().error).toBeUndefined()
    await store.retry()
    expect(server.calls(`POST /v1/download/retry/${JOB}`)).toHaveLength(1)
  })

  it('shows a job that is named, and says when there is none', async () => {
    const { server, tab } = browser()
    const stream = new FakeStream()
    server.on(EVENTS, stream.handler)
    const store = tab({ jobId: JOB })
    listened(store)
    await settled()
    stream.tell(RUNNING)
    await settled()
    expect(store.getState().phase).toBe('processing')
    const unknown = tab({ jobId: OTHER })
    listened(unknown)
    server.on(`GET /v1/download/events/${OTHER}`, () => problem(404, 'job_not_found'))
    await settled()
    expect(unknown.getState()).toMatchObject({ phase: 'idle', error: { code: 'job_not_found' } })
  })

  it('says nothing after dispose', async () => {
    const { server, clock, tab } = browser()
    const stream = new FakeStream()
    server.on(INITIATE, () => answer(job())).on(EVENTS, stream.handler)
    const store = tab()
    const { phases } = listened(store)
    const started = store.start()
    store.dispose()
    await started
    await settled()
    expect(phases).toEqual(['starting'])
    expect(server.calls(EVENTS)).toHaveLength(0)
    expect(clock.waiting).toBe(0)
    store.subscribe(() => phases.push('never'))
    await store.start()
    expect(phases).toEqual(['starting'])
  })

  it('ends its stream when it is disposed, without a word', async () => {
    const { server, clock, tab } = browser()
    const stream = new FakeStream()
    server.on(EVENTS, stream.handler)
    const store = tab({ jobId: JOB })
    let told = 0
    store.subscribe(() => (told += 1))
    await settled()
    stream.tell(RUNNING)
    await settled()
    const before = told
    store.dispose()
    await settled()
    expect(told).toBe(before)
    expect(server.calls(EVENTS)[0]?.signal.aborted).toBe(true)
    expect(clock.waiting).toBe(0)
  })

  it('asks nothing while nobody listens', async () => {
    const { server, clock, tab } = browser()
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.on(INITIATE, () => answer(job())).onEach(EVENTS, first.handler, second.handler)
    const store = tab()
    const { stop } = listened(store)
    await store.start()
    await settled()
    first.tell(RUNNING)
    await settled()
    stop()
    await settled()
    expect(server.calls(EVENTS)[0]?.signal.aborted).toBe(true)
    expect(clock.waiting).toBe(0)
    listened(store)
    await settled()
    second.tell(DONE)
    await settled()
    expect(store.getState().phase).toBe('completed')
  })
})

describe('a reloaded page', () => {
  it('takes up the job, and keeps neither token nor URL', async () => {
    const { server, storage, tab } = browser()
    server.on(INITIATE, () => answer(job())).on(EVENTS, () => problem(404, 'not_found')).on(STATUS, () => answer(DONE))
    const store = tab()
    listened(store)
    await store.start()
    await settled()
    expect(storage.length).toBe(1)
    expect(storage.text + JSON.stringify(FakeChannel.said)).not.toMatch(/secret|signature|http/)

    const reloaded = tab()
    const { phases } = listened(reloaded)
    await settled()
    expect(phases).toEqual(['starting', 'completed'])
    expect(server.calls(INITIATE)).toHaveLength(1)
    const another = tab({ fileId: 70000, params: { format: 'pdf' } })
    listened(another)
    await settled()
    expect(another.getState().phase).toBe('idle')
  })

  it.each([
    ['is another user’s', () => problem(404, 'job_not_found')],
    ['has lost its file', () => answer({ ...DONE, expires_at: '2026-11-25T09:00:00.000Z' })],
  ])('drops a job that %s', async (_, look) => {
    const { server, storage, tab } = browser()
    server.on(INITIATE, () => answer(job())).on(EVENTS, () => problem(404, 'not_found')).on(STATUS, look)
    await tab().start()
    expect(storage.length).toBe(1)
    const reloaded = tab()
    listened(reloaded)
    await settled()
    expect(reloaded.getState()).toEqual({ phase: 'idle', connection: 'idle' })
    expect(storage.length).toBe(0)
  })

  it('does without a storage that is full, or holds nonsense', async () => {
    const { server, storage, tab } = browser()
    server.on(INITIATE, () => answer(job()))
    await tab().start()
    storage.setItem(storage.key(0) as string, '[{')
    storage.setItem = () => {
      throw new Error('QuotaExceededError')
    }
    const store = tab()
    listened(store)
    await store.start()
    expect(store.getState().phase).toBe('queued')
  })
})

describe('several tabs', () => {
  it('show a start and a cancel of one in all', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, () => answer(job())).on(EVENTS, () => problem(404, 'not_found'))
    server.on(CANCEL, () => answer({ job_id: JOB, status: 'cancelled' }))
    let now = RUNNING
    server.on(STATUS, () => answer(now))
    const [one, other] = [tab(), tab()]
    listened(one)
    listened(other)
    await one.start()
    await settled()
    expect(other.getState().phase).toBe('processing')
    now = job({ status: 'cancelled', version: 4 })
    await other.cancel()
    await settled()
    expect(one.getState().phase).toBe('cancelled')
    expect(server.calls(INITIATE)).toHaveLength(1)
  })

  it('start at the same time with the same key', async () => {
    const { server, tab } = browser()
    server.on(INITIATE, async () => {
      await settled()
      return answer(job())
    })
    await Promise.all([tab().start(), tab().start()])
    const keys = server.calls(INITIATE).map((asked) => asked.headers.get('idempotency-key'))
    expect(keys).toEqual([keys[0], keys[0]])
  })

  it('take the job that another one started meanwhile', async () => {
    const { server, tab } = browser()
    const failed = job({ status: 'failed', version: 5 })
    server.onEach(INITIATE, () => answer(failed), () => answer(job({ job_id: OTHER }))).on(STATUS, () => answer(failed))
    const one = tab({ fileId: 70000 }, { channel: null })
    const other = tab({ fileId: 70000 }, { channel: null })
    await one.start()
    await other.start()
    server.on(`GET /v1/download/status/${OTHER}`, () => answer(job({ job_id: OTHER, status: 'processing', version: 2 })))
    await one.start()
    expect(one.getState()).toMatchObject({ phase: 'processing', job: { job_id: OTHER } })
    expect(server.calls(INITIATE)).toHaveLength(2)
  })

  it('do not mind what others say on the channel', async () => {
    const { server, tab } = browser()
    const store = tab()
    listened(store)
    const channel = new FakeChannel()
    for (const word of [null, 'x', { haulier: 'another', jobId: JOB }, { jobId: 1 }]) channel.postMessage(word)
    await settled()
    expect(server.asked).toHaveLength(0)
    expect(store.getState().phase).toBe('idle')
  })
})
