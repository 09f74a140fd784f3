import { backoff, jittered, noSooner } from './backoff.js'
import type { PageDocument } from './browser.js'
import type { Caller } from './caller.js'
import type { HaulierClient } from './client.js'
import { NOTHING_HELD, type Connections, type Release } from './connections.js'
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
  document?: PageDocument | null | undefined
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
  #hasWorked = false
  #told: Connection | undefined

  constructor(parts: Parts, transports: readonly Transport[], options: FollowOptions) {
    this.#parts = parts
    this.route = new Route(transports, parts.caller.settings)
    this.page = pageOf(options.document)
    this.signal = options.signal
    this.#onTransport = options.onTransport ?? (() => undefined)
  }

  /** The transport to use now, and how to give its connection back. */
  async choose(): Promise<{ transport: Transport; release: Release }> {
    const transport = this.route.current()
    if (transport !== 'poll') {
      const release = await this.#parts.connections.take(this.route.last !== 'poll')
      if (release) return { transport, release }
    }
    return { transport: 'poll', release: NOTHING_HELD }
  }

  /** Whether something better than polling is free now. */
  async mayDoBetter(): Promise<boolean> {
    const { transport, release } = await this.choose()
    await release()
    return transport !== 'poll'
  }

  worked(transport: Transport): void {
    this.#hasWorked = true
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
    if (!(error instanceof HaulierError)) throw error
    // Who gives the tokens may be away for a moment, as we may.
    const passes = error.code === 'no_token' && this.#hasWorked
    if (!passes && isFinal(error)) throw error
    const asked = (error.retryAfter ?? 0) * 1000
    if (error.code === 'too_many_streams') {
      return this.setAside(transport, noSooner(Math.max(BUSY_MS, asked), this.#random))
    }
    this.#failures += 1
    if (this.#failures >= FAILURES) {
      if (transport === this.route.last) this.route.down()
      else this.#giveUp(transport)
      this.#tell('offline')
    }
    const grown = backoff(this.#failures, { first: FIRST_MS, most: MOST_MS, random: this.#random })
    await this.wait(noSooner(asked, this.#random) + grown)
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
