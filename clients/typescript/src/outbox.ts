import type { Clock } from './clock.js'

/** The server takes 100 messages at once and 20 a second, and closes the connection of who sends more. */
const AT_ONCE = 60
const EACH_MS = 70

/** Messages of one connection, no faster than the server takes them. */
export class Outbox {
  readonly #waiting: object[] = []
  #allowed = AT_ONCE
  #counted: number
  #timer: unknown

  constructor(
    readonly clock: Clock,
    readonly send: (text: string) => void,
  ) {
    this.#counted = clock.now()
  }

  post(message: object): void {
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
    while (this.#allowed >= 1) {
      const message = this.#waiting.shift()
      if (!message) return
      this.#allowed -= 1
      this.send(JSON.stringify(message))
    }
    if (this.#waiting.length) this.#timer = this.clock.setTimeout(() => this.#drain(), EACH_MS)
  }
}
