import { describe, expect, it } from 'vitest'
import { browser, CANCEL, DONE, FakeChannel, INITIATE, listened, OTHER, RUNNING } from './browser.js'
import { answer, EVENTS, job, JOB, problem, settled, STATUS } from './fakes.js'

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
