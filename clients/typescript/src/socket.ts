import { backoff, noSooner } from './backoff.js'
import type { HaulierClient } from './client.js'
import { asError, HaulierError, NetworkError } from './errors.js'
import { READY } from './followAll.js'
import { isNews, isTerminal } from './job.js'
import { lookUp } from './lookUp.js'
import type { Settings } from './options.js'
import { Outbox, type Outgoing } from './outbox.js'
import { parsedMessage, socketUrl } from './socketMessage.js'
import { Subscriptions, type AllListener, type JobListener, type SocketErrorListener } from './subscriptions.js'
import type { JobStatus } from './types.js'

/** `connecting`, `open`, `waiting` (for the next try), `closed` (for good: by `close()`, or because it is refused). */
export type SocketState = 'connecting' | 'open' | 'waiting' | 'closed'

export type StateListener = (state: SocketState, error?: Error) => void

const PING_MS = 20_000
const SILENCE_MS = 45_000
const FIRST_MS = 1_000
const MOST_MS = 30_000
/** Until the server says `ready`; a proxy may accept a connection and never connect it further. */
const READY_MS = 15_000
const UNAVAILABLE_MS = 5_000

/** A WebSocket that connects again by itself and tells the server again what is listened to. */
export class LiveSocket {
  readonly #client: HaulierClient
  readonly #settings: Settings
  readonly #subscriptions = new Subscriptions()
  readonly #listeners = new Set<StateListener>()
  /** What was told last of each job that somebody listens to; among all only of those that live. */
  readonly #known = new Map<string, JobStatus>()
  /** Of those that lived when the connection before was lost: which this one has not told yet. */
  readonly #untold = new Set<string>()
  /** Whether this connection has told all jobs that live. */
  #allTold = false
  #state: SocketState = 'connecting'
  #socket: WebSocket | undefined
  #outbox: Outbox | undefined
  #timer: unknown
  #silence: unknown
  #failures = 0
  #wasOpen = false
  /** Where a new connection goes on with all jobs. */
  #since: string | undefined
  #stop = new AbortController()

  constructor(client: HaulierClient, settings: Settings) {
    this.#client = client
    this.#settings = settings
    void this.#connect()
  }

  get state(): SocketState {
    return this.#state
  }

  /** Hears each change of a job, now's included, until the answered function is called. */
  subscribe(jobId: string, listener: JobListener, onError?: SocketErrorListener): () => void {
    const { first, remove } = this.#subscriptions.add(jobId, listener, onError)
    if (first) this.#send({ type: 'subscribe', job_id: jobId })
    // It was told before, to others or among all jobs: when the server tells it again that is no news.
    const known = this.#known.get(jobId)
    if (known) queueMicrotask(() => this.#subscriptions.has(jobId, listener) && listener(known))
    return () => {
      if (!remove()) return
      this.#tidy(jobId)
      this.#send({ type: 'unsubscribe', job_id: jobId })
    }
  }

  /**
   * Hears all my jobs: those that live, `{type: 'ready'}`, then every change. The living ones and `ready` come again after
   * each new connection, with those that ended meanwhile.
   */
  subscribeAll(listener: AllListener): () => void {
    const { first, tell, remove } = this.#subscriptions.addAll(listener)
    if (first) this.#send({ type: 'subscribe', all: true })
    // The server tells the jobs to whom listens first; later ones hear what was told last.
    else queueMicrotask(() => {
      for (const job of this.#known.values()) if (!isTerminal(job.status)) tell(job)
      if (this.#allTold) tell(READY)
    })
    return () => {
      if (!remove()) return
      for (const jobId of this.#known.keys()) this.#tidy(jobId)
      this.#untold.clear()
      this.#allTold = false
      this.#since = undefined
      this.#send({ type: 'unsubscribe', all: true })
    }
  }

  /** Hears each change of `state`. */
  onState(listener: StateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Ends the connection for good. */
  close(): void {
    if (this.#state === 'closed') return
    this.#stop.abort(new Error('The socket is closed.'))
    this.#settings.clock.clearTimeout(this.#timer)
    this.#release(1000)
    this.#become('closed')
    this.#listeners.clear()
    this.#subscriptions.clear()
    this.#known.clear()
  }

  async #connect(): Promise<void> {
    this.#become('connecting')
    const { WebSocket } = this.#settings
    if (!WebSocket) return this.#refuse(new Error('There is no WebSocket here: give one in the options.'))
    try {
      const { ticket } = await this.#client.ticket({ signal: this.#stop.signal })
      if (this.#stop.signal.aborted) return
      this.#attend(new WebSocket(`${socketUrl(this.#client.baseUrl)}?ticket=${encodeURIComponent(ticket)}`))
    } catch (error) {
      if (this.#stop.signal.aborted) return
      const refused = error instanceof HaulierError && [401, 403, 404, 405].includes(error.status)
      // Who gives the tokens may be away for a moment, once it has worked.
      const tokenless = error instanceof HaulierError && error.code === 'no_token' && !this.#wasOpen
      if (refused || tokenless || !(error instanceof HaulierError)) return this.#refuse(asError(error))
      this.#again(error, (error.retryAfter ?? 0) * 1000)
    }
  }

  #attend(socket: WebSocket): void {
    this.#socket = socket
    this.#outbox = new Outbox(this.#settings.clock, (text) => socket.readyState === 1 && socket.send(text))
    this.#heard(READY_MS)
    socket.onmessage = (event: MessageEvent) => {
      if (this.#socket !== socket) return
      this.#heard(SILENCE_MS)
      this.#receive(event.data)
    }
    socket.onclose = (event: CloseEvent) => {
      if (this.#socket !== socket) return
      this.#release()
      const flooding = event.code === 4429 || event.code === 4400
      this.#again(new Error(`The connection was closed (${event.code}).`), flooding ? MOST_MS : 0)
    }
    // What went wrong is told to onclose; without a listener Node's `ws` raises it.
    socket.onerror = () => undefined
  }

  #receive(frame: unknown): void {
    const message = parsedMessage(frame)
    if (!message) return
    if (message.type === 'ready') this.#opened()
    else if (message.type === 'status') {
      const { type: _, cursor, ...job } = message
      if (this.#subscriptions.all) this.#since = cursor ?? this.#since
      this.#told(job)
    } else if (message.type === 'subscribed' && message.all && this.#subscriptions.all) {
      this.#since = message.cursor
      this.#allTold = true
      this.#subscriptions.tellAll(READY)
      void this.#lookUpUntold()
    } else if (message.type === 'error') this.#refused(message)
  }

  #opened(): void {
    this.#failures = 0
    this.#wasOpen = true
    for (const jobId of this.#subscriptions.jobs()) {
      const known = this.#known.get(jobId)
      if (!known || !isTerminal(known.status)) this.#post({ type: 'subscribe', job_id: jobId })
    }
    this.#untold.clear()
    for (const [jobId, job] of this.#known) if (!isTerminal(job.status)) this.#untold.add(jobId)
    if (this.#subscriptions.all) this.#post({ type: 'subscribe', all: true, since: this.#since })
    this.#become('open')
    this.#ping()
  }

  #told(job: JobStatus): void {
    this.#untold.delete(job.job_id)
    // It was on its way when `unsubscribe` was sent.
    if (!this.#subscriptions.all && !this.#subscriptions.wants(job.job_id)) return
    const known = this.#known.get(job.job_id)
    if (known && job.version < known.version) return
    // A new connection tells again what was told; for one job that is no news.
    const news = isNews(job, known)
    this.#known.set(job.job_id, job)
    this.#tidy(job.job_id)
    if (news) this.#subscriptions.tell(job)
    this.#subscriptions.tellAll(job)
  }

  /** The server tells no more than some hundred of the jobs that ended while there was no connection. */
  async #lookUpUntold(): Promise<void> {
    const jobIds = [...this.#untold]
    this.#untold.clear()
    const socket = this.#socket
    try {
      for await (const { jobId, job } of lookUp(this.#client, jobIds, this.#stop.signal)) {
        // The next connection begins again with those that are not looked up yet.
        if (this.#socket !== socket) return
        if (job) this.#told(job)
        else this.#known.delete(jobId)
      }
    } catch (error) {
      // A refusal would come again with each connection.
      const passes = error instanceof NetworkError || (error instanceof HaulierError && error.status === 503)
      if (passes && this.#socket === socket) this.#connectLater(error)
    }
  }

  #refused(message: { code: string; message: string; job_id?: string }): void {
    // The ledger is away for a moment: a new connection asks for everything again.
    if (message.code.endsWith('unavailable')) return this.#connectLater(new Error(message.message))
    const error = new HaulierError({ code: message.code, status: 0, detail: message.message })
    if (!message.job_id) return
    this.#subscriptions.refuse(message.job_id, error)
    this.#tidy(message.job_id)
  }

  #connectLater(error: unknown): void {
    this.#release(4000)
    this.#again(error, UNAVAILABLE_MS)
  }

  /** Drops what nobody needs to know any more. */
  #tidy(jobId: string): void {
    const known = this.#known.get(jobId)
    if (!known || this.#subscriptions.wants(jobId)) return
    if (!this.#subscriptions.all || isTerminal(known.status)) this.#known.delete(jobId)
  }

  #again(error: unknown, least: number): void {
    this.#failures += 1
    const { clock, random } = this.#settings
    const wait = noSooner(least, random) + backoff(this.#failures, { first: FIRST_MS, most: MOST_MS, random })
    this.#become('waiting', asError(error))
    this.#timer = clock.setTimeout(() => void this.#connect(), wait)
  }

  #refuse(error: Error): void {
    this.#become('closed', error)
  }

  /** Bytes came: the connection is taken for dead when nothing follows within `ms`. */
  #heard(ms: number): void {
    const { clock } = this.#settings
    clock.clearTimeout(this.#silence)
    this.#silence = clock.setTimeout(() => {
      this.#release(4000)
      this.#again(new Error('The connection fell silent.'), 0)
    }, ms)
  }

  #ping(): void {
    const { clock } = this.#settings
    clock.clearTimeout(this.#timer)
    this.#timer = clock.setTimeout(() => {
      this.#post({ type: 'ping' })
      this.#ping()
    }, PING_MS)
  }

  #release(code?: number): void {
    const { clock } = this.#settings
    clock.clearTimeout(this.#timer)
    clock.clearTimeout(this.#silence)
    this.#outbox?.end()
    this.#allTold = false
    const socket = this.#socket
    this.#socket = undefined
    if (code !== undefined) socket?.close(code)
  }

  #send(message: Outgoing): void {
    if (this.#state === 'open') this.#post(message)
  }

  #post(message: Outgoing): void {
    this.#outbox?.post(message)
  }

  #become(state: SocketState, error?: Error): void {
    if (state === this.#state && !error) return
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state, error)
  }
}
