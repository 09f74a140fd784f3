import { backoff, noSooner } from './backoff.js'
import { sleep } from './clock.js'
import { errorOf, HaulierError, NetworkError } from './errors.js'
import type { Settings } from './options.js'
import { hintAtOrigins } from './originHint.js'
import { limited } from './signals.js'

/** One request. `repeatable`: asking twice does no harm, because it reads, or because a key makes it one request. */
export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  repeatable: boolean
  timeoutMs?: number
  /** How often at most it is sent; 4 when not said. */
  tries?: number
}

export interface Answer {
  status: number
  headers: Headers
  text: string
}

const TIMEOUT_MS = 30_000
const TRIES = 4
const FIRST_WAIT_MS = 500
const MOST_WAIT_MS = 5_000
/** A longer Retry-After is left to the caller: nobody waits minutes for a click. */
const LONGEST_WAIT_MS = 20_000
const NO_HEADER = /[\0\r\n]|[^\0-\xff]/
const PASSING = new Set([408, 429, 502, 503, 504])

/** Sends requests: token, time limit, and repeating what may be repeated. */
export class Caller {
  #hasAnswered = false

  constructor(readonly settings: Settings) {}

  /** The JSON of a 2xx answer. Raises HaulierError, NetworkError, or the signal's reason. */
  async json<T>(call: Call): Promise<T> {
    const answer = await this.answer(call)
    return parsed<T>(answer)
  }

  /** A 2xx answer or 304. Raises HaulierError, NetworkError, or the signal's reason. */
  async answer(call: Call): Promise<Answer> {
    const { clock, random } = this.settings
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.#once(call)
      } catch (error) {
        if (!(error instanceof HaulierError) || !call.repeatable || tried >= (call.tries ?? TRIES)) throw error
        if (!(error instanceof NetworkError) && !PASSING.has(error.status)) throw error
        const asked = (error.retryAfter ?? 0) * 1000
        if (asked > LONGEST_WAIT_MS) throw error
        const wait = asked
          ? noSooner(asked, random)
          : backoff(tried, { first: FIRST_WAIT_MS, most: MOST_WAIT_MS, random })
        await sleep(clock, wait, call.signal)
      }
    }
  }

  /** The open answer of a stream, whatever its status; the caller reads or cancels its body. */
  async open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const call: Call = { method: 'GET', path, headers, repeatable: true }
    return this.#authorized((token) => this.#send(call, token, signal), signal)
  }

  async #once(call: Call): Promise<Answer> {
    const { clock } = this.settings
    const limit = limited(clock, call.timeoutMs ?? TIMEOUT_MS, call.signal)
    try {
      const response = await this.#authorized((token) => this.#send(call, token, limit.signal), limit.signal)
      const text = await response.text()
      if (!response.ok && response.status !== 304) {
        throw errorOf({ status: response.status, headers: response.headers, text, now: clock.now() })
      }
      return { status: response.status, headers: response.headers, text }
    } catch (error) {
      if (error instanceof HaulierError) throw error
      if (call.signal?.aborted) throw call.signal.reason
      throw new NetworkError(limit.expired() ? 'The server did not answer in time.' : 'The server cannot be reached.', {
        cause: error,
      })
    } finally {
      limit.release()
    }
  }

  async #authorized(send: (token: string) => Promise<Response>, signal: AbortSignal): Promise<Response> {
    const token = await unlessAborted(this.#token(), signal)
    const response = await send(token)
    if (response.status !== 401 || !this.settings.renewable) return response
    const fresh = await unlessAborted(this.#token(), signal)
    if (fresh === token) return response
    await response.body?.cancel()
    return send(fresh)
  }

  /** What the token function raises is the application's own error; it goes along as the cause. */
  async #token(): Promise<string> {
    let token: string
    try {
      token = ((await this.settings.token()) ?? '').trim() // JavaScript has no token yet
    } catch (error) {
      throw error instanceof HaulierError
        ? error
        : new HaulierError({ code: 'no_token', status: 0, detail: 'No access token could be had.' }, { cause: error })
    }
    // `fetch` would refuse it with a TypeError, which looks like a server that is away.
    if (NO_HEADER.test(token)) {
      const detail = 'The access token has characters that no header can carry.'
      throw new HaulierError({ code: 'no_token', status: 0, detail })
    }
    return token
  }

  async #send(call: Call, token: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...call.headers }
    if (token) headers.Authorization = `Bearer ${token}`
    if (call.body !== undefined) headers['Content-Type'] = 'application/json'
    try {
      const response = await this.settings.fetch(this.settings.baseUrl + call.path, {
        method: call.method,
        headers,
        signal,
        cache: 'no-store',
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      })
      this.#hasAnswered = true
      return response
    } catch (error) {
      if (!this.#hasAnswered) hintAtOrigins(this.settings.baseUrl, error)
      throw error
    }
  }
}

/** The value, or the signal's reason: a token function knows no signal. */
function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

export function parsed<T>(answer: Answer): T {
  try {
    return JSON.parse(answer.text) as T
  } catch (error) {
    throw new HaulierError(
      { code: 'bad_answer', status: answer.status, detail: 'The server answered with something that is not JSON.' },
      { cause: error },
    )
  }
}
