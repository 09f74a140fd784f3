import type { Clock } from '../src/clock.js'
import type { JobStatus } from '../src/types.js'

/** Lets everything run that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Time that passes when a test says so. */
export class FakeClock implements Clock {
  #now = Date.parse('2026-11-25T10:00:00Z')
  #timers = new Map<number, { at: number; callback: () => void }>()
  #next = 1

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number): unknown {
    this.#timers.set(this.#next, { at: this.#now + ms, callback })
    return this.#next++
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number)
  }

  get waiting(): number {
    return this.#timers.size
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settled()
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (!due) break
      const [id, timer] = due
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, timer.at)
      timer.callback()
      await settled()
    }
    this.#now = end
    await settled()
  }
}

export interface Asked {
  method: string
  path: string
  headers: Headers
  body: unknown
  signal: AbortSignal
}

type Handler = (asked: Asked) => Response | Promise<Response>

/** A server in the place of fetch: answers by `"METHOD /path"` (without the query), and keeps what it was asked. */
export class FakeServer {
  readonly asked: Asked[] = []
  readonly handlers = new Map<string, Handler>()

  on(call: string, handler: Handler): this {
    this.handlers.set(call, handler)
    return this
  }

  /** One answer after the other; the last one again and again. */
  onEach(call: string, ...handlers: Handler[]): this {
    let index = 0
    return this.on(call, (asked) => (handlers[Math.min(index++, handlers.length - 1)] as Handler)(asked))
  }

  calls(call: string): Asked[] {
    return this.asked.filter((asked) => `${asked.method} ${asked.path.split('?')[0]}` === call)
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const path = String(input).replace(/^https?:\/\/[^/]+/, '')
    const asked: Asked = {
      method: init?.method ?? 'GET',
      path,
      headers: new Headers(init?.headers),
      body: init?.body ? JSON.parse(String(init.body)) : undefined,
      signal: init?.signal as AbortSignal,
    }
    this.asked.push(asked)
    const handler = this.handlers.get(`${asked.method} ${path.split('?')[0]}`)
    const answer = handler ? handler(asked) : problem(404, 'not_found')
    return Promise.race([answer, aborted(asked.signal)])
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}

export function answer(body: unknown, headers: Record<string, string> = {}, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = { type: `/docs#${code}`, title: code, status, detail: `Because of ${code}.`, code, request_id: 'r-1' }
  return answer(body, { 'Content-Type': 'application/problem+json', ...headers }, status)
}

export const never = (): Promise<Response> => new Promise(() => undefined)
export const broken = (): Response => {
  throw new TypeError('fetch failed')
}

/** Answers that are held until they are let go. */
export class HeldAnswers {
  readonly #held: (() => void)[] = []

  get count(): number {
    return this.#held.length
  }

  handler(body: unknown): Handler {
    return () => new Promise((resolve) => this.#held.push(() => resolve(answer(body))))
  }

  async letGo(): Promise<void> {
    for (const release of this.#held) release()
    await settled()
  }
}

/** An event stream that a test writes to; it ends with the request. */
export class FakeStream {
  readonly #encoder = new TextEncoder()
  #controller!: ReadableStreamDefaultController<Uint8Array>
  cancelled = false

  readonly handler: Handler = (asked) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
        asked.signal.addEventListener('abort', () => {
          try {
            controller.error(asked.signal.reason)
          } catch {
            // It was closed before.
          }
        })
      },
      cancel: () => void (this.cancelled = true),
    })
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }

  write(text: string): void {
    this.#controller.enqueue(this.#encoder.encode(text))
  }

  tell(job: JobStatus): void {
    this.write(`id: ${job.version}\nevent: status\ndata: ${JSON.stringify(job)}\n\n`)
  }

  close(): void {
    this.#controller.close()
  }
}

export function job(changes: Partial<JobStatus> = {}): JobStatus {
  return {
    job_id: '0193f2a0-0000-7000-8000-000000000001',
    status: 'queued',
    progress: 0,
    file_id: 70000,
    created_at: '2026-11-25T10:00:00.000Z',
    updated_at: '2026-11-25T10:00:00.000Z',
    version: 1,
    attempt: 0,
    estimated_completion: null,
    ...changes,
  }
}

/** One of many jobs, and the call that asks for its status. */
export const numbered = (number: number, changes: Partial<JobStatus> = {}) => job({ job_id: `job-${number}`, ...changes })
export const statusOf = (number: number) => `GET /v1/download/status/job-${number}`

export const JOB = job().job_id
export const STATUS = `GET /v1/download/status/${JOB}`
export const EVENTS = `GET /v1/download/events/${JOB}`

/** What an iterable brought so far, and how it ended. */
export class Collected<T> {
  readonly got: T[] = []
  ended = false
  error: unknown

  constructor(source: AsyncIterable<T>) {
    void this.#read(source)
  }

  async #read(source: AsyncIterable<T>): Promise<void> {
    try {
      for await (const each of source) this.got.push(each)
      this.ended = true
    } catch (error) {
      this.error = error
    }
  }
}

/** A document whose visibility a test sets. */
export class FakeDocument extends EventTarget {
  visibilityState: DocumentVisibilityState = 'visible'

  become(state: DocumentVisibilityState): void {
    this.visibilityState = state
    this.dispatchEvent(new Event('visibilitychange'))
  }

  get asDocument(): Document {
    return this as unknown as Document
  }
}

export class FakeStorage implements Storage {
  readonly #values = new Map<string, string>()
  get length(): number {
    return this.#values.size
  }
  clear(): void {
    this.#values.clear()
  }
  getItem(key: string): string | null {
    return this.#values.get(key) ?? null
  }
  key(index: number): string | null {
    return [...this.#values.keys()][index] ?? null
  }
  removeItem(key: string): void {
    this.#values.delete(key)
  }
  setItem(key: string, value: string): void {
    this.#values.set(key, value)
  }
  get text(): string {
    return JSON.stringify([...this.#values])
  }
}

/** Web Locks, of which a request says `ifAvailable`. */
export class FakeLocks {
  readonly #held = new Set<string>()

  async request(name: string, ...rest: unknown[]): Promise<unknown> {
    const given = rest.at(-1) as (lock: object | null) => unknown
    if (this.#held.has(name)) return given(null)
    this.#held.add(name)
    try {
      return await given({ name })
    } finally {
      this.#held.delete(name)
    }
  }
}
