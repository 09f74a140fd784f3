import { Caller, parsed } from './caller.js'
import type { Clock } from './clock.js'
import { HaulierError, retryAfter } from './errors.js'
import { follow } from './follow.js'
import type { FollowOptions } from './following.js'
import { followAll, type FollowAllOptions, type Ready } from './followAll.js'
import { LiveSocket } from './socket.js'
import { settingsOf, type ClientOptions } from './options.js'
import { Connections } from './connections.js'
import type {
  BatchAccepted,
  BatchCancelled,
  BatchRequest,
  BatchStatus,
  Cancelled,
  CheckAnswer,
  DownloadResult,
  InitiateRequest,
  JobPage,
  JobStatus,
  Params,
  StatusName,
  Ticket,
} from './types.js'

export interface CallOptions {
  signal?: AbortSignal | undefined
}

export interface StartOptions extends CallOptions {
  /** Made anew for each call when absent; give one to repeat a call whose outcome is not known. */
  idempotencyKey?: string | undefined
  /**
   * Whether the user's living job for the same, or its file within an hour, is joined rather than another job made.
   * When absent, it is if no `idempotencyKey` is given. A key that has its job already answers that one.
   */
  join?: boolean | undefined
}

export interface StatusOptions extends CallOptions {
  /** Seconds (up to 60) that the answer may wait for a change. */
  wait?: number | undefined
  etag?: string | undefined
}

export interface JobsOptions extends CallOptions {
  status?: StatusName | undefined
  /** 1 to 100. */
  limit?: number | undefined
  cursor?: string | undefined
  /** Id of a batch. */
  batch?: string | undefined
}

/** A look at a job: `job` is undefined when nothing changed since `etag`. */
export interface Look {
  job: JobStatus | undefined
  etag: string | undefined
  /** Seconds until another look is worthwhile. */
  retryAfter: number | undefined
}

/** Everything that Haulier can be asked. Methods raise HaulierError, NetworkError, or the reason of an aborted signal. */
export class HaulierClient {
  readonly baseUrl: string
  readonly user: string
  readonly clock: Clock
  readonly #caller: Caller
  readonly #connections = new Connections()

  constructor(options: ClientOptions) {
    const settings = settingsOf(options)
    this.baseUrl = settings.baseUrl
    this.user = settings.user
    this.clock = settings.clock
    this.#caller = new Caller(settings)
  }

  /** Asks for a file (or for several as one ZIP); the job may be one that is there already. */
  initiate(request: BatchRequest, options?: StartOptions): Promise<BatchAccepted>
  initiate(request: number | InitiateRequest, options?: StartOptions): Promise<JobStatus>
  async initiate(
    request: number | InitiateRequest | BatchRequest,
    options: StartOptions = {},
  ): Promise<JobStatus | BatchAccepted> {
    const body = typeof request === 'number' ? { file_id: request } : request
    return this.#caller.json({ ...starting('/v1/download/initiate', options), body })
  }

  /** The job now, or after a change within `wait` seconds; undefined when it is still that of `etag`. */
  status(jobId: string, options: StatusOptions & { etag: string }): Promise<JobStatus | undefined>
  status(jobId: string, options?: StatusOptions): Promise<JobStatus>
  async status(jobId: string, options: StatusOptions = {}): Promise<JobStatus | undefined> {
    return (await this.look(jobId, options)).job
  }

  /** As `status`, with the ETag and when to look again. */
  async look(jobId: string, options: StatusOptions & { tries?: number } = {}): Promise<Look> {
    const { clock } = this.#caller.settings
    const answer = await this.#caller.answer({
      method: 'GET',
      path: `/v1/download/status/${encodeURIComponent(jobId)}${options.wait ? `?wait=${options.wait}` : ''}`,
      headers: options.etag ? { 'If-None-Match': options.etag } : {},
      signal: options.signal,
      repeatable: true,
      timeoutMs: ((options.wait ?? 0) + 20) * 1000,
      ...(options.tries ? { tries: options.tries } : {}),
    })
    return {
      job: answer.status === 304 ? undefined : parsed<JobStatus>(answer),
      etag: answer.headers.get('etag') ?? undefined,
      retryAfter: retryAfter(answer.headers, clock.now()),
    }
  }

  /** A freshly signed URL and the file's facts; 409 `job_not_ready` while there is none, 410 when it has expired. */
  result(jobId: string, options: CallOptions = {}): Promise<DownloadResult> {
    return this.#get(`/v1/download/result/${encodeURIComponent(jobId)}`, options)
  }

  /** A freshly signed URL; it expires, so ask when it is needed. */
  async downloadUrl(jobId: string, options: CallOptions = {}): Promise<string> {
    return (await this.result(jobId, options)).download_url
  }

  /** Cancels a job that is not over; 409 `job_finished` when it is completed or failed. */
  cancel(jobId: string, options: CallOptions = {}): Promise<Cancelled> {
    return this.#caller.json({
      method: 'DELETE',
      path: `/v1/download/cancel/${encodeURIComponent(jobId)}`,
      signal: options.signal,
      repeatable: true,
    })
  }

  /** A new job for a failed or cancelled one. */
  async retry(jobId: string, options: StartOptions = {}): Promise<JobStatus> {
    return this.#caller.json(starting(`/v1/download/retry/${encodeURIComponent(jobId)}`, options))
  }

  /** My jobs, newest first. */
  jobs(options: JobsOptions = {}): Promise<JobPage> {
    const query = new URLSearchParams()
    for (const name of ['status', 'limit', 'cursor', 'batch'] as const) {
      const value = options[name]
      if (value !== undefined) query.set(name, String(value))
    }
    const text = query.toString()
    return this.#get(`/v1/download/jobs${text && `?${text}`}`, options)
  }

  /** How the jobs of a batch stand. */
  batch(batchId: string, options: CallOptions = {}): Promise<BatchStatus> {
    return this.#get(`/v1/download/batch/${encodeURIComponent(batchId)}`, options)
  }

  /** Cancels what is not over of a batch. */
  cancelBatch(batchId: string, options: CallOptions = {}): Promise<BatchCancelled> {
    return this.#caller.json({
      method: 'DELETE',
      path: `/v1/download/batch/${encodeURIComponent(batchId)}`,
      signal: options.signal,
      repeatable: true,
    })
  }

  /** Whether a file could be had, without starting anything. */
  check(fileId: number, options: CallOptions & { params?: Params | undefined } = {}): Promise<CheckAnswer> {
    const body = { file_id: fileId, ...(options.params ? { params: options.params } : {}) }
    return this.#caller.json({
      method: 'POST',
      path: '/v1/download/check',
      body,
      signal: options.signal,
      repeatable: true,
    })
  }

  /** A single-use admission to the WebSocket, good for 30 s. */
  ticket(options: CallOptions = {}): Promise<Ticket> {
    // Not repeated: each one made counts, and who connects tries again anyway.
    return this.#caller.json({ method: 'POST', path: '/v1/tickets', signal: options.signal, repeatable: false })
  }

  /** The job now, then after each change; ends with the terminal one. Goes on through whatever breaks in between. */
  follow(jobId: string, options: FollowOptions = {}): AsyncGenerator<JobStatus, void, undefined> {
    return follow({ client: this, caller: this.#caller, connections: this.#connections }, jobId, options)
  }

  /** All my jobs: those that live, `{type: 'ready'}`, then every change of any. Never ends by itself. */
  followAll(options: FollowAllOptions = {}): AsyncGenerator<JobStatus | Ready, void, undefined> {
    return followAll({ client: this, caller: this.#caller, connections: this.#connections }, options)
  }

  /** A WebSocket that connects again by itself. */
  connect(): LiveSocket {
    return new LiveSocket(this, this.#caller.settings)
  }

  #get<T>(path: string, options: CallOptions): Promise<T> {
    return this.#caller.json({ method: 'GET', path, signal: options.signal, repeatable: true })
  }
}

/** What a header can carry, and the server takes. */
const KEY = /^[\x21-\x7e]{1,200}$/

function starting(path: string, options: StartOptions) {
  const { idempotencyKey: own, join = own == null } = options // JavaScript hands null over
  if (own != null && !KEY.test(own)) {
    const detail = 'idempotencyKey must be 1 to 200 visible ASCII characters.'
    throw new HaulierError({ code: 'invalid_request', status: 0, detail })
  }
  const headers: Record<string, string> = { 'Idempotency-Key': own ?? newKey(), ...(join ? { Prefer: 'join' } : {}) }
  return { method: 'POST', path, headers, signal: options.signal, repeatable: true } as const
}

/** A UUID. `crypto.randomUUID` is missing on pages that are not served over https. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
