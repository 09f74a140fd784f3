import { expect, it } from 'vitest'
import { HaulierClient, HaulierError, NetworkError, type ClientOptions } from '../src/index.js'
import { answer, broken, FakeClock, FakeServer, job, JOB, never, problem, settled, STATUS } from './fakes.js'

const INITIATE = 'POST /v1/download/initiate'

function setUp(options: Partial<ClientOptions> = {}) {
  const server = new FakeServer()
  const clock = new FakeClock()
  const client = new HaulierClient({
    baseUrl: 'https://haulier.example/',
    token: 'secret',
    fetch: server.fetch,
    clock,
    random: () => 0.5,
    ...options,
  })
  return { server, clock, client }
}

/** A promise that is watched while time passes. */
function watched<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

it('sends token, body and key, and answers with the job', async () => {
  const { server, client } = setUp()
  server.on(INITIATE, () => answer(job()))
  expect((await client.initiate(70000, { idempotencyKey: 'k' })).job_id).toBe(JOB)
  const [asked] = server.asked
  expect(asked?.headers.get('authorization')).toBe('Bearer secret')
  expect(asked?.headers.get('idempotency-key')).toBe('k')
  expect(asked?.headers.get('prefer')).toBeNull()
  expect(asked?.body).toEqual({ file_id: 70000 })
})

it('keeps the key over retries and takes another for another call', async () => {
  const { server, clock, client } = setUp()
  server.onEach(INITIATE, broken, () => problem(503, 'ledger_unavailable'), () => answer(job()))
  const first = watched(client.initiate(70000))
  await clock.advance(10_000)
  expect((await first).value?.job_id).toBe(JOB)
  await client.initiate(70000, { idempotencyKey: null as unknown as undefined })
  const keys = server.asked.map((asked) => asked.headers.get('idempotency-key'))
  expect(keys[0]).toMatch(/^[\x21-\x7e]{20,200}$/)
  expect(keys.slice(1, 3)).toEqual([keys[0], keys[0]])
  expect(keys[3]).not.toBe(keys[0])
  expect(server.asked.map((asked) => asked.headers.get('prefer'))).toEqual(Array(4).fill('join'))
})

it('joins, or does not, as it is told', async () => {
  const { server, client } = setUp()
  server.on(INITIATE, () => answer(job()))
  await client.initiate(70000, { idempotencyKey: 'k', join: true })
  await client.initiate(70000, { join: false })
  const [own, fresh] = server.asked.map(({ headers }) => [headers.get('idempotency-key'), headers.get('prefer')])
  expect(own).toEqual(['k', 'join'])
  expect(fresh).toEqual([expect.stringMatching(/./), null])
})

it.each(['日本', 'a b', '', 'k'.repeat(201), 'a\nb'])('says at once that %j is no key', async (idempotencyKey) => {
  const { server, client } = setUp()
  const refused = { code: 'invalid_request', detail: expect.stringContaining('visible ASCII') as string }
  await expect(client.initiate(70000, { idempotencyKey })).rejects.toMatchObject(refused)
  await expect(client.retry(JOB, { idempotencyKey })).rejects.toMatchObject(refused)
  expect(server.asked).toHaveLength(0)
})

it('takes a token with the end of its line', async () => {
  const { server, client } = setUp({ token: 'secret\n' })
  server.on(INITIATE, () => answer(job()))
  await client.initiate(70000)
  expect(server.asked[0]?.headers.get('authorization')).toBe('Bearer secret')
})

it.each(['a\nb', 'ключ'])('says at once that %j is no token', async (token) => {
  const { server, client } = setUp({ token })
  await expect(client.jobs()).rejects.toMatchObject({ code: 'no_token' })
  expect(server.asked).toHaveLength(0)
})

it('waits as long as Retry-After says, and no shorter', async () => {
  const { server, clock, client } = setUp()
  server.onEach(INITIATE, () => problem(429, 'rate_limited', { 'Retry-After': '7' }), () => answer(job()))
  const started = watched(client.initiate(70000))
  await clock.advance(6_999)
  expect(server.asked).toHaveLength(1)
  await clock.advance(3_501)
  expect((await started).value?.job_id).toBe(JOB)
})

it.each([[0, 7_000], [0.5, 8_750], [0.99, 10_465]])('does not come back with all others (%f: after %i ms)', async (chance, ms) => {
  const { server, clock, client } = setUp({ random: () => chance })
  server.onEach(STATUS, () => problem(503, 'ledger_unavailable', { 'Retry-After': '7' }), () => answer(job()))
  const looked = watched(client.status(JOB))
  await clock.advance(ms - 1)
  expect(server.asked).toHaveLength(1)
  await clock.advance(1)
  expect((await looked).value?.job_id).toBe(JOB)
})

it('leaves a long Retry-After to the caller', async () => {
  const { server, client } = setUp()
  server.on(INITIATE, () => problem(429, 'quota_exceeded', { 'Retry-After': '3600' }))
  const error = await client.initiate(70000).catch((raised: unknown) => raised)
  expect(error).toBeInstanceOf(HaulierError)
  expect(error).toMatchObject({ code: 'quota_exceeded', status: 429, retryAfter: 3600, requestId: 'r-1' })
  expect(server.asked).toHaveLength(1)
})

it('gives up after four tries', async () => {
  const { server, clock, client } = setUp()
  server.on(STATUS, broken)
  const looked = watched(client.status(JOB))
  await clock.advance(60_000)
  expect((await looked).error).toBeInstanceOf(NetworkError)
  expect(server.asked).toHaveLength(4)
  expect(clock.waiting).toBe(0)
})

it('does not repeat a ticket', async () => {
  const { server, client } = setUp()
  server.on('POST /v1/tickets', broken)
  await expect(client.ticket()).rejects.toBeInstanceOf(NetworkError)
  expect(server.asked).toHaveLength(1)
})

it('does not repeat what is refused, and tells where it is wrong', async () => {
  const { server, client } = setUp()
  const errors = [{ pointer: '/file_id', detail: 'must be at least 10000' }]
  server.on(INITIATE, () => answer({ code: 'invalid_request', detail: 'No.', errors }, {}, 400))
  await expect(client.initiate(1)).rejects.toMatchObject({ code: 'invalid_request', message: 'No.', errors })
  expect(server.asked).toHaveLength(1)
})

it('understands what a proxy answers in the place of the server', async () => {
  const { server, client } = setUp()
  server.on(STATUS, () => new Response('<html>Forbidden</html>', { status: 403 }))
  await expect(client.status(JOB)).rejects.toMatchObject({ code: 'http_403', status: 403 })
})

it('asks for the token once more after a 401, then raises', async () => {
  let made = 0
  const { server, client } = setUp({ token: () => `token-${++made}` })
  server.onEach(STATUS, () => problem(401, 'unauthenticated'), () => answer(job()), () => problem(401, 'unauthenticated'))
  expect((await client.status(JOB)).version).toBe(1)
  expect(server.asked.map((asked) => asked.headers.get('authorization'))).toEqual(['Bearer token-1', 'Bearer token-2'])
  await expect(client.status(JOB)).rejects.toMatchObject({ status: 401 })
  expect(server.asked).toHaveLength(4)
})

it('does not send a token again that is no other', async () => {
  const { server, client } = setUp()
  server.on(STATUS, () => problem(401, 'unauthenticated'))
  await expect(client.status(JOB)).rejects.toMatchObject({ status: 401 })
  expect(server.asked).toHaveLength(1)
})

it('stops waiting for an answer that does not come', async () => {
  const { server, clock, client } = setUp()
  server.on('POST /v1/tickets', never)
  const asked = watched(client.ticket())
  await clock.advance(30_000)
  expect((await asked).error).toBeInstanceOf(NetworkError)
})

it('ends with the reason of the signal, also while it waits for the next try', async () => {
  const { server, clock, client } = setUp()
  server.on(STATUS, broken)
  const stop = new AbortController()
  const looked = watched(client.status(JOB, { signal: stop.signal }))
  await clock.advance(100)
  stop.abort(new Error('enough'))
  expect((await looked).error).toMatchObject({ message: 'enough' })
  await settled()
  expect(clock.waiting).toBe(0)
})

it('waits no longer for a token function than for a server', async () => {
  const { clock, client } = setUp({ token: () => new Promise<string>(() => undefined) })
  const stop = new AbortController()
  const looked = watched(client.status(JOB, { signal: stop.signal }))
  const ticket = watched(client.ticket())
  stop.abort(new Error('enough'))
  expect((await looked).error).toMatchObject({ message: 'enough' })
  await clock.advance(30_000)
  expect((await ticket).error).toBeInstanceOf(NetworkError)
  expect(clock.waiting).toBe(0)
})

it('tells an unchanged job from a changed one', async () => {
  const { server, client } = setUp()
  server.onEach(STATUS, () => answer(job(), { ETag: '"1"' }), () => new Response(null, { status: 304 }))
  const look = await client.look(JOB)
  expect(look.etag).toBe('"1"')
  expect(await client.status(JOB, { etag: '"1"', wait: 5 })).toBeUndefined()
  expect(server.asked[1]?.path).toContain('?wait=5')
  expect(server.asked[1]?.headers.get('if-none-match')).toBe('"1"')
})

it('lists jobs as asked', async () => {
  const { server, client } = setUp()
  server.on('GET /v1/download/jobs', () => answer({ jobs: [], total: 0, page: 1, limit: 5, next_cursor: null }))
  await client.jobs({ status: 'failed', limit: 5, cursor: 'a b' })
  expect(server.asked[0]?.path).toBe('/v1/download/jobs?status=failed&limit=5&cursor=a+b')
})
