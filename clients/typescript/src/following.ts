import { backoff, jittered } from './backoff.js'
import type { Caller } from './caller.js'
import type { HaulierClient } from './client.js'
import type { Connections } from './connections.js'
import { HaulierError, NetworkError } from './errors.js'
import type { Transport } from './options.js'
import { pageOf, pause, shown, type Page } from './page.js'
import { Route } from './route.js'
import { StreamPaused, StreamSilent, StreamUnusable, type EventStream } from './stream.js'

/** How the news come at the moment; `offline`: the server does not answer. */
export type Connection = Transport | 'offline'

export interface FollowOptions {
  signal?: AbortSignal | undefined
  /** Called when the way that news come changes. */
  onTransport?: ((connection: Connection) => void) | undefined
  /** Whose visibility pauses polling; the global one when absent, null for none. */
  document?: Document | null | undefined
}

/** What a client lends to those who follow. */
export interface Parts {
  client: HaulierClient
  caller: Caller
  connections: Connections
}

const FIRST_MS = 1_000
const MOST_MS = 10_000
/** After so many failures in a row another way is tried, and the connection counts as offline. */
const FAILURES = 2
const BUSY_MS = 30_000

/** What following one job and following all have in common: which way, what a failure means, how long to wait. */
export class Following {
  readonly route: Route
  readonly page: Page
  readonly signal: AbortSignal | undefined
  readonly #parts: Parts
  readonly #onTransport: (connection: Connection) => void
  #failures = 0
  #silences = 0
  #told: Connection | undefined

  constructor(parts: Parts, transports: readonly Transport[], options: FollowOptions) {
    this.#parts = parts
    this.route = new Route(transports, parts.caller.settings.clock)
    this.page = pageOf(options.document)
    this.signal = options.signal
    this.#onTransport = options.onTransport ?? (() => undefined)
  }

  /** The transport to use now, and how to give its connection back. */
  choose(insist = false): { transport: Transport; release: () => void } {
    const transport = this.route.current()
    const polls = this.route.last === 'poll'
    if (transport === 'poll') return { transport, release: () => undefined }
    const release = this.#parts.connections.take(insist || !polls)
    return release ? { transport, release } : { transport: 'poll', release: () => undefined }
  }

  worked(transport: Transport): void {
    this.#failures = 0
    this.route.worked(transport)
    this.#tell(transport)
  }

  /** A connection ended by itself. One that brought nothing is a failure. */
  async closed(stream: EventStream, brought: boolean): Promise<void> {
    this.#silences = 0
    if (brought || stream.lasted) return this.wait(jittered(stream.retryMs ?? 2_000, this.#random))
    await this.failed('sse', new NetworkError('The event stream was closed at once.'))
  }

  /** Decides what a failure means and waits as long as that asks for. Raises the error when it is final. */
  async failed(transport: Transport, error: unknown): Promise<void> {
    if (this.signal?.aborted) throw this.signal.reason
    if (error instanceof StreamPaused) return this.wait(0)
    if (error instanceof StreamUnusable) return this.setAside(transport)
    // Once is a dead connection; twice in a row is a proxy that lets the first bytes through and holds the others back.
    if (error instanceof StreamSilent && ++this.#silences >= FAILURES) {
      this.#silences = 0
      return this.setAside(transport)
    }
    if (!(error instanceof HaulierError) || isFinal(error)) throw error
    if (error.code === 'too_many_streams') {
      return this.setAside(transport, Math.max(BUSY_MS, (error.retryAfter ?? 0) * 1000))
    }
    this.#failures += 1
    if (this.#failures >= FAILURES) {
      if (transport === this.route.last) this.route.down()
      else this.#giveUp(transport)
      this.#tell('offline')
    }
    const grown = backoff(this.#failures, { first: FIRST_MS, most: MOST_MS, random: this.#random })
    await this.wait(Math.max((error.retryAfter ?? 0) * 1000, grown))
  }

  /** This way does not work here: another one is used for a while. Where there is none, it is tried again later. */
  async setAside(transport: Transport, ms?: number): Promise<void> {
    if (transport !== this.route.last) return this.route.block(transport, { ms })
    await this.wait(ms ?? jittered(MOST_MS, this.#random))
  }

  /** Milliseconds to wait before looking again: what the server says, else more after each look without news. */
  interval(quiet: number, retryAfterS: number | undefined): number {
    if (retryAfterS !== undefined) return jittered(Math.max(500, retryAfterS * 1000), this.#random)
    return backoff(quiet, { first: FIRST_MS, most: MOST_MS, random: this.#random })
  }

  wait(ms: number): Promise<void> {
    return pause(this.#parts.caller.settings.clock, ms, this.page, this.signal)
  }

  shown(): Promise<void> {
    return shown(this.page, this.signal)
  }

  #giveUp(transport: Transport): void {
    this.route.block(transport, { outage: true })
    this.#failures = 0
  }

  #tell(connection: Connection): void {
    if (connection === this.#told) return
    this.#told = connection
    this.#onTransport(connection)
  }

  get #random(): () => number {
    return this.#parts.caller.settings.random
  }
}

/** Whether asking again cannot help: the request is refused, not the moment. */
function isFinal(error: HaulierError): boolean {
  if (error.code === 'no_token') return true
  return error.status >= 400 && error.status < 500 && ![408, 425, 429].includes(error.status)
}
