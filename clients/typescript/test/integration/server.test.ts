import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DownloadStore,
  DownloadsStore,
  HaulierClient,
  type ClientOptions,
  type Clock,
  type Connection,
  type JobStatus,
  type Transport,
} from '../../src/index.js'
import { Haulier, installed } from '../../../testing/haulier.js'
import { Proxy } from './proxy.js'
import { occupied, SEATS } from './seats.js'
import { socketTests } from './sockets.js'

const [QUICK, LONG, FAILING] = [71000, 71100, 71200]

describe.skipIf(!installed)('with a server', () => {
  const installation = new Haulier({ quickSeconds: 1, quickBytes: 2_000, role: 'premium', settings: SEATS })

  beforeAll(() => installation.start(), 90_000)
  afterAll(() => installation.remove(), 40_000)

  /** A client of a user of its own, so that no test meets another's jobs. */
  function clientOf(user: string, options: Partial<ClientOptions> = {}): HaulierClient {
    const token = () => installation.token(user)
    return new HaulierClient({ baseUrl: installation.url, token, ...options })
  }

  it.each<Transport>(['sse', 'long-poll', 'poll'])('a job is followed to its file by %s', async (transport) => {
    const client = clientOf(transport, { transports: [transport] })
    const free = await occupied(client)
    const { job_id } = await client.initiate(QUICK)
    const seen: JobStatus[] = []
    const ways = new Set<Connection>()
    for await (const job of client.follow(job_id, { onTransport: (way) => ways.add(way) })) {
      if (seen.push(job) === 1) await free()
    }
    expect([...ways]).toEqual([transport])
    expect(seen.at(-1)).toMatchObject({ status: 'completed', progress: 100, file_name: `quick-${QUICK}.bin` })
    expect(seen.length).toBeGreaterThan(1)
    const versions = seen.map((job) => job.version)
    expect(versions).toEqual([...versions].sort((one, other) => one - other))
    const file = await fetch(await client.downloadUrl(job_id))
    expect((await file.arrayBuffer()).byteLength).toBe(2000)
  })

  it('a key makes one job of two requests, and other requests are refused', async () => {
    const client = clientOf('keys')
    const [one, other] = await Promise.all(
      [1, 2].map(() => client.initiate({ file_id: LONG }, { idempotencyKey: 'once' })),
    )
    expect(one?.job_id).toBe(other?.job_id)
    await expect(client.initiate(QUICK, { idempotencyKey: 'once' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    })
    await expect(client.initiate(1)).rejects.toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/file_id' }] })
  })

  it('what was started elsewhere is joined when that is wanted', async () => {
    const client = clientOf('elsewhere')
    const { job_id } = await client.initiate(LONG)
    const joined = await client.initiate(LONG, { idempotencyKey: 'mine', join: true })
    const own = await client.initiate(LONG, { idempotencyKey: 'other' })
    expect([joined.job_id === job_id, own.job_id === job_id]).toEqual([true, false])
    await Promise.all([job_id, own.job_id].map((id) => client.cancel(id)))
  })

  it('a cancelled job ends its followers, and is retried by a new one', async () => {
    const client = clientOf('cancel')
    const { job_id } = await client.initiate(LONG)
    const statuses: string[] = []
    for await (const job of client.follow(job_id)) {
      statuses.push(job.status)
      if (job.status === 'processing') await client.cancel(job_id)
    }
    expect(statuses.at(-1)).toBe('cancelled')
    await expect(client.result(job_id)).rejects.toMatchObject({ status: 409, code: 'job_not_ready' })
    const again = await client.retry(job_id)
    expect(again.retry_of).toBe(job_id)
    await client.cancel(again.job_id)
  })

  it('someone else’s job is none, whichever way one asks', async () => {
    const { job_id } = await clientOf('owner').initiate(LONG)
    const stranger = clientOf('stranger')
    await expect(stranger.status(job_id)).rejects.toMatchObject({ status: 404, code: 'job_not_found' })
    for (const transport of ['sse', 'long-poll', 'poll'] as const) {
      const client = clientOf('stranger', { transports: [transport] })
      await expect(client.follow(job_id).next()).rejects.toMatchObject({ code: 'job_not_found' })
    }
  })

  it('a wrong token is refused', async () => {
    const client = new HaulierClient({ baseUrl: installation.url, token: 'wrong' })
    await expect(client.jobs()).rejects.toMatchObject({ status: 401, code: 'unauthenticated' })
  })

  it.each<Transport>(['sse', 'poll'])('all jobs are followed by %s, those to come as well', async (transport) => {
    const client = clientOf(`all-${transport}`, { transports: [transport] })
    const first = await client.initiate(LONG)
    const seen: string[] = []
    let second: JobStatus | undefined
    for await (const message of client.followAll()) {
      if ('type' in message) {
        seen.push('ready')
        second ??= await client.initiate(FAILING)
      } else {
        seen.push(message.job_id === first.job_id ? 'first' : `second ${message.status}`)
        if (message.job_id === second?.job_id && message.status === 'failed') break
      }
    }
    expect(seen.slice(0, 2)).toEqual(['first', 'ready'])
    expect(seen.at(-1)).toBe('second failed')
    await client.cancel(first.job_id)
  })

  it('a store shows a download, and a list shows it too', async () => {
    const client = clientOf('stores')
    const list = new DownloadsStore(client)
    list.subscribe(() => undefined)
    const store = new DownloadStore(client, { fileId: QUICK })
    const phases = new Set<string>()
    const completed = new Promise<void>((resolve) => {
      store.subscribe(() => {
        phases.add(store.getState().phase)
        if (store.getState().phase === 'completed') resolve()
      })
    })
    await store.start()
    await completed
    expect([...phases]).toEqual(expect.arrayContaining(['starting', 'completed']))
    await until(() => list.getState().jobs.some((job) => job.status === 'completed'))
    expect(list.getState().jobs.map((job) => job.job_id)).toEqual([store.getState().job?.job_id])
    store.dispose()
    list.dispose()
  })

  it('a job is followed through broken connections and an outage, and never goes back', async () => {
    const proxy = new Proxy(installation.url)
    await proxy.start()
    const client = clientOf('outage', { baseUrl: proxy.url, clock: hurried(2) })
    const { job_id } = await client.initiate(LONG)
    const versions: number[] = []
    let cuts = 0
    for await (const job of client.follow(job_id)) {
      versions.push(job.version)
      if (job.status === 'cancelled') break
      cuts += 1
      if (cuts === 2) proxy.cut()
      if (cuts === 3) {
        proxy.down()
        setTimeout(() => proxy.up(), 700)
      }
      if (cuts === 5) await clientOf('outage').cancel(job_id)
    }
    expect(versions).toEqual([...versions].sort((one, other) => one - other))
    expect(proxy.asked.filter((asked) => asked.includes('/events/')).length).toBeGreaterThan(1)
    await proxy.stop()
  })

  it('a proxy that holds streams back does not keep the job from being followed', async () => {
    const proxy = new Proxy(installation.url)
    proxy.holdsBack = true
    await proxy.start()
    const client = clientOf('held-back', { baseUrl: proxy.url, clock: hurried(4) })
    const { job_id } = await client.initiate(LONG)
    const ways: Connection[] = []
    for await (const job of client.follow(job_id, { onTransport: (way) => ways.push(way) })) {
      if (job.status === 'processing') await client.cancel(job_id)
    }
    expect(ways).toEqual(['long-poll'])
    await proxy.stop()
  })

  it('a batch makes a job of each file', async () => {
    const client = clientOf('batch')
    const batch = await client.initiate({ file_ids: [LONG, LONG + 1], mode: 'jobs' })
    expect(batch.jobs).toHaveLength(2)
    expect((await client.jobs({ batch: batch.batch_id })).total).toBe(2)
    expect((await client.cancelBatch(batch.batch_id)).cancelled).toBe(2)
    expect((await client.batch(batch.batch_id)).over).toBe(true)
  })

  socketTests(installation)

  it('a file is looked at without a job', async () => {
    expect(await clientOf('check').check(QUICK)).toMatchObject({ file_id: QUICK, available: true })
  })
})

/** A clock that runs `times` as fast. */
function hurried(times: number): Clock {
  return {
    now: () => Date.now() * times,
    setTimeout: (callback, ms) => setTimeout(callback, ms / times),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let looked = 0; !condition(); looked += 1) {
    if (looked > 200) throw new Error('not within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
