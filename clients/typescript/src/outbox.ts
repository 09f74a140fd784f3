import type { Clock } from './clock.js'

/** The server takes 100 messages at once and 20 a second, and closes the connection of who sends more. */
const AT_ONCE = 60
const EACH_MS = 70
/** As the server counts it: it brings a whole list. */
const COST_OF_ALL = 11

/** A message of ours. */
export interface Outgoing {
  type: 'subscribe' | 'unsubscribe' | 'ping'
  job_id?: string
  all?: true
  since?: string | undefined
}

/** Messages of one connection, no faster than the server takes them. */
export class Outbox {
  readonly #waiting: Outgoing[] = []
  #allowed = AT_ONCE
  #counted: number
  #timer: unknown

  constructor(
    readonly clock: Clock,
    readonly send: (text: string) => void,
  ) {
    this.#counted = clock.now()
  }

  post(message: Outgoing): void {
    this.#waiting.push(message)
    if (this.#waiting.length === 1) this.#drain()
  }

  end(): void {
    this.clock.clearTimeout(this.#timer)
    this.#waiting.length = 0
  }

  #drain(): void {
    const now = this.clock.now()
    this.#allowed = Math.min(AT_ONCE, this.#allowed + (now - this.#counted) / EACH_MS)
    this.#counted = now
    for (let next = this.#waiting[0]; next && this.#allowed >= costOf(next); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#allowed -= costOf(next)
      this.send(JSON.stringify(next))
    }
    if (this.#waiting.length) this.#timer = this.clock.setTimeout(() => this.#drain(), EACH_MS)
  }
}

function costOf({ type, all }: Outgoing): number {
  return type === 'subscribe' && all ? COST_OF_ALL : 1
}
