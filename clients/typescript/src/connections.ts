/** Over HTTP/1.1 browsers open 6 connections to a host for all tabs together; a client holds at most this many. */
const HELD = 2

/** The connections that a client holds open. Who gets none looks from time to time instead. */
export class Connections {
  #held = 0

  /** Answers how to give it back, or undefined when there are enough; `insist` takes one all the same. */
  take(insist = false): (() => void) | undefined {
    if (this.#held >= HELD && !insist) return undefined
    this.#held += 1
    let given = false
    return () => {
      if (!given) this.#held -= 1
      given = true
    }
  }
}
