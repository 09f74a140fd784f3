import { systemClock, type Clock } from './clock.js'

/** `sse`: a stream; `long-poll`: an answer that waits for a change; `poll`: looking from time to time. */
export type Transport = 'sse' | 'long-poll' | 'poll'

export interface ClientOptions {
  /** Address of the API; '' (the default) is the page's own origin. */
  baseUrl?: string | undefined
  /** A bearer token, or what gives one. It is asked for each request, and once more after a 401. */
  token: string | (() => string | Promise<string>)
  /** Who the token is of; what is remembered and told to other tabs is kept apart by it. */
  user?: string | undefined
  fetch?: typeof fetch | undefined
  /** Needed for `connect()` where there is no global one (Node before 22). */
  WebSocket?: typeof WebSocket | undefined
  clock?: Clock | undefined
  /** A number from 0 to below 1, for jitter. */
  random?: (() => number) | undefined
  /** Which ways of following may be used; they are tried in this order. */
  transports?: readonly Transport[] | undefined
}

/** The options with everything filled in. */
export interface Settings {
  baseUrl: string
  user: string
  token: () => Promise<string>
  /** Whether asking again can give another token. */
  renewable: boolean
  fetch: typeof fetch
  WebSocket: typeof WebSocket | undefined
  clock: Clock
  random: () => number
  transports: readonly Transport[]
}

export const TRANSPORTS: readonly Transport[] = ['sse', 'long-poll', 'poll']

export function settingsOf(options: ClientOptions): Settings {
  const { token } = options
  // Looked up at each call: test tools and service workers replace the global one later.
  const given = options.fetch
  return {
    baseUrl: (options.baseUrl ?? '').replace(/\/+$/, ''),
    user: options.user ?? '',
    token: async () => (typeof token === 'function' ? token() : token),
    renewable: typeof token === 'function',
    fetch: given ? (input, init) => given(input, init) : (input, init) => globalThis.fetch(input, init),
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    transports: options.transports?.length ? options.transports : TRANSPORTS,
  }
}
