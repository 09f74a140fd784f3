import type { HaulierClient, JobStatus } from '@haulier/client'
import { afterEach, beforeEach, expect, expectTypeOf, test } from 'vitest'
import { answer, EVENTS, FakeStream, JOB, job, problem } from '../../typescript/test/fakes.js'
import { useDownload, useDownloads, useHaulier, useWebSocketDownload, type Download } from '../src/index.js'
import { nameOf } from '@haulier/client'
import { Page } from './page.js'

let page: Page
let stream: FakeStream
beforeEach(() => {
  page = new Page()
  stream = new FakeStream()
  page.server.on(EVENTS, stream.handler).on('POST /v1/download/initiate', () => answer(job()))
})
afterEach(() => page.leave())

function Shown({ use }: { use: () => Download }) {
  const { phase, progress, connection, start } = use()
  return (
    <button data-haulier="shown" onClick={() => void start()}>{`${phase} ${progress} ${connection}`}</button>
  )
}

test('two components with the same download share one stream', async () => {
  const both = (
    <>
      <Shown use={() => useDownload(70000, { params: { a: 1, b: [{ c: 1, d: 2 }] } })} />
      <Shown use={() => useDownload(70000, { params: { b: [{ d: 2, c: 1 }], a: 1 } })} />
    </>
  )
  await page.show(both)
  await page.click('shown')
  await page.does(() => stream.tell(job({ version: 2, status: 'processing', progress: 30 })))
  expect([...page.element.children].map((child) => child.textContent)).toEqual(Array(2).fill('processing 30 live'))
  expect(page.server.calls(EVENTS)).toHaveLength(1)
})

test('params are told apart by what they say', () => {
  expect(nameOf({ fileId: 1, params: { a: 1, b: 2 } })).toBe(nameOf({ fileId: 1, params: { b: 2, a: 1 } }))
  expect(nameOf({ fileId: 1, params: { a: [1, 2] } })).not.toBe(nameOf({ fileId: 1, params: { a: [2, 1] } }))
  expect(nameOf({ fileId: 1 })).not.toBe(nameOf({ fileId: 2 }))
})

test('a job is shown by its id', async () => {
  await page.show(<Shown use={() => useDownload({ jobId: JOB })} />)
  await page.does(() => stream.tell(job({ status: 'processing', progress: 7 })))
  expect(page.text('shown')).toBe('processing 7 live')
})

test('a changed file id shows the other download', async () => {
  await page.show(<Shown use={() => useDownload(70000)} />)
  await page.click('shown')
  expect(page.text('shown')).toContain('queued')
  await page.show(<Shown use={() => useDownload(70001)} />)
  expect(page.text('shown')).toContain('idle')
})

test('where there is no WebSocket its hook uses the stream', async () => {
  page.server.on('POST /v1/tickets', () => problem(404, 'not_found'))
  await page.show(<Shown use={() => useWebSocketDownload({ jobId: JOB })} />)
  await page.does(() => stream.tell(job({ status: 'processing', progress: 8 })))
  expect(page.text('shown')).toBe('processing 8 live')
})

class FakeSocket {
  readyState = 1
  onmessage?: (event: { data: string }) => void
  onclose?: (event: { code: number }) => void
  say = (message: object) => this.onmessage?.({ data: JSON.stringify(message) })
  send(_: string): void {}
  close(): void {}
}

test('behind a proxy that lets no WebSocket through its hook uses the stream', async () => {
  await page.leave()
  class Refused extends FakeSocket {
    constructor() {
      super()
      queueMicrotask(() => this.onclose?.({ code: 1006 }))
    }
  }
  page = new Page({ WebSocket: Refused as unknown as typeof WebSocket })
  page.server.on('POST /v1/tickets', () => answer({ ticket: 't', expires_at: '' })).on(EVENTS, stream.handler)
  await page.show(<Shown use={() => useWebSocketDownload({ jobId: JOB })} />)
  await page.does(() => page.clock.advance(5_000))
  await page.does(() => stream.tell(job({ status: 'processing', progress: 8 })))
  expect(page.text('shown')).toBe('processing 8 live')
})

test('a job that is one too many for the WebSocket is told by the stream', async () => {
  await page.leave()
  class Full extends FakeSocket {
    constructor() {
      super()
      queueMicrotask(() => this.say({ type: 'ready' }))
    }
    override send(): void {
      queueMicrotask(() => this.say({ type: 'error', code: 'too_many_subscriptions', message: 'Too many.', job_id: JOB }))
    }
  }
  page = new Page({ WebSocket: Full as unknown as typeof WebSocket })
  page.server.on('POST /v1/tickets', () => answer({ ticket: 't', expires_at: '' })).on(EVENTS, stream.handler)
  await page.show(<Shown use={() => useWebSocketDownload({ jobId: JOB })} />)
  await page.does(() => stream.tell(job({ status: 'processing', progress: 9 })))
  expect(page.text('shown')).toBe('processing 9 live')
})

test('the list is live', async () => {
  page.server.on('GET /v1/download/events', stream.handler)
  page.server.on('GET /v1/download/jobs', () => answer({ jobs: [job({ status: 'completed' })], total: 1, page: 1, next_cursor: null }))
  function List() {
    const { jobs, isReady } = useDownloads()
    return <p data-haulier="list">{isReady ? jobs.map((each) => each.status).join() : 'not yet'}</p>
  }
  await page.show(<List />)
  expect(page.text('list')).toBe('not yet')
  await page.does(() => stream.write('id: 1\nevent: ready\ndata: {}\n\n'))
  expect(page.text('list')).toBe('completed')
  await page.does(() => stream.tell(job({ job_id: '0193f2a0-0000-7000-8000-000000000009', created_at: '2026-11-25T11:00:00.000Z' })))
  expect(page.text('list')).toBe('queued,completed')
  expect(page.server.calls('GET /v1/download/events')).toHaveLength(1)
})

test('a list that a refused token has ended is followed again', async () => {
  page.server.onEach('GET /v1/download/events', () => problem(401, 'unauthenticated'), stream.handler)
  page.server.on('GET /v1/download/jobs', () => answer({ jobs: [job()], total: 1, page: 1, next_cursor: null }))
  function List() {
    const { jobs, error, restart } = useDownloads()
    return <button data-haulier="list" onClick={restart}>{error?.message ?? jobs.length}</button>
  }
  await page.show(<List />)
  await page.click('list')
  await page.does(() => stream.write('event: ready\ndata: {}\n\n'))
  expect(page.text('list')).toBe('1')
})

test('types say what there is', () => {
  expectTypeOf(useHaulier).returns.toEqualTypeOf<HaulierClient>()
  expectTypeOf<Download['job']>().toEqualTypeOf<JobStatus | undefined>()
  expectTypeOf<Download['phase']>().toEqualTypeOf<'idle' | 'starting' | JobStatus['status']>()
  expectTypeOf(useDownload).toBeCallableWith(70000, { params: { columns: 6 } })
  expectTypeOf(useWebSocketDownload).toBeCallableWith({ jobId: 'x' })
  // @ts-expect-error a file id is a number
  expectTypeOf(useDownload).toBeCallableWith('70000')
})
