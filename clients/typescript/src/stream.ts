import type { Caller } from './caller.js'
import { errorOf, HaulierError, NetworkError } from './errors.js'
import { EventParser, type ServerEvent } from './eventParser.js'
import type { Page } from './page.js'
import { limited } from './signals.js'

/** A proxy that holds an answer back until it is complete never sends a first byte. */
const FIRST_BYTES_MS = 8_000
/** The server sends something every 15 s. */
const SILENCE_MS = 35_000
/** A connection that lived this long was no failure, even when nothing happened on it. */
const LASTING_MS = 5_000
const HIDDEN_MS = 5_000
const STALE_MS = 20_000

/** Streams do not work here: an older server, or a proxy that does not let them through. */
export class StreamUnusable extends Error {}

/** Nothing came for longer than heartbeats take: the connection is dead, or somebody holds the bytes back. */
export class StreamSilent extends NetworkError {}

/** The server has nothing more to tell. */
export class StreamOver extends Error {}

/** Let go of on purpose: the page is hidden, or was so long that the connection may be dead. */
export class StreamPaused extends Error {}

export interface StreamOptions {
  lastEventId: string | undefined
  signal: AbortSignal | undefined
  page: Page
}

/** One connection to an event stream, until the server closes it. */
export class EventStream {
  retryMs: number | undefined
  lasted = false
  spoke = false

  constructor(
    readonly caller: Caller,
    readonly path: string,
  ) {}

  /** Raises StreamUnusable, StreamOver, StreamPaused, HaulierError, NetworkError, or the signal's reason. */
  async *events(options: StreamOptions): AsyncGenerator<ServerEvent, void, undefined> {
    const { clock } = this.caller.settings
    const begun = clock.now()
    const limit = limited(clock, FIRST_BYTES_MS, options.signal)
    const watch = new Watch(this.caller, options.page, limit.abort)
    let body: ReadableStreamDefaultReader<Uint8Array> | undefined
    try {
      body = await this.#open(options.lastEventId, limit.signal)
      const decoder = new TextDecoder()
      const parser = new EventParser(options.lastEventId)
      for (;;) {
        const { done, value } = await body.read()
        if (done) return
        limit.lengthen(SILENCE_MS)
        this.spoke = true
        this.lasted = clock.now() - begun > LASTING_MS
        watch.heard()
        const events = parser.push(decoder.decode(value, { stream: true }))
        this.retryMs = parser.retryMs
        yield* events
      }
    } catch (error) {
      throw this.#meaning(error, options.signal, limit)
    } finally {
      watch.stop()
      limit.release()
      // Without this the connection would stay open after a consumer that leaves early.
      limit.abort()
      body?.cancel().catch(() => undefined)
    }
  }

  async #open(lastEventId: string | undefined, signal: AbortSignal) {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (lastEventId !== undefined) headers['Last-Event-ID'] = lastEventId
    const response = await this.caller.open(this.path, headers, signal)
    if (response.status === 204) throw new StreamOver()
    if (!response.ok) {
      const now = this.caller.settings.clock.now()
      const error = errorOf({ status: response.status, headers: response.headers, text: await response.text(), now })
      if (error.code !== 'job_not_found' && [404, 405, 406, 501].includes(error.status)) throw new StreamUnusable()
      throw error
    }
    if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await response.body?.cancel()
      throw new StreamUnusable()
    }
    return response.body.getReader()
  }

  #meaning(error: unknown, outer: AbortSignal | undefined, limit: { expired(): boolean; signal: AbortSignal }): unknown {
    if (outer?.aborted) return outer.reason
    if (limit.signal.reason instanceof StreamPaused) return limit.signal.reason
    if (limit.expired()) {
      return this.spoke ? new StreamSilent('The event stream fell silent.', { cause: error }) : new StreamUnusable()
    }
    if (error instanceof HaulierError || error instanceof StreamUnusable || error instanceof StreamOver) return error
    return new NetworkError('The event stream broke off.', { cause: error })
  }
}

/** Lets go of a stream that nobody looks at, and of one that may have died while nobody looked. */
class Watch {
  #timer: unknown
  #heard: number
  readonly #stop: () => void

  constructor(
    readonly caller: Caller,
    readonly page: Page,
    readonly abort: (reason: unknown) => void,
  ) {
    this.#heard = caller.settings.clock.now()
    this.#stop = page.onChange(() => this.#changed())
    this.#changed()
  }

  heard(): void {
    this.#heard = this.caller.settings.clock.now()
  }

  stop(): void {
    this.#stop()
    this.caller.settings.clock.clearTimeout(this.#timer)
  }

  #changed(): void {
    const { clock } = this.caller.settings
    clock.clearTimeout(this.#timer)
    if (this.page.hidden()) this.#timer = clock.setTimeout(() => this.abort(new StreamPaused()), HIDDEN_MS)
    else if (clock.now() - this.#heard > STALE_MS) this.abort(new StreamPaused())
  }
}
