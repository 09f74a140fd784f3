/** Over HTTP/1.1 browsers open 6 connections to a host for all tabs together: two stay free for calls. */
const SLOTS = 4
/** A client holds no more than this, so that one tab leaves something to the next. */
const HELD = 2

export type Release = () => Promise<void>

export const NOTHING_HELD: Release = () => Promise.resolve()

/** The connections that a client holds open. Who gets none looks from time to time instead. */
export class Connections {
  #held = 0

  /** Answers how to give it back, or undefined when there are enough; `insist` takes one all the same. */
  async take(insist = false): Promise<Release | undefined> {
    if (this.#held >= HELD && !insist) return undefined
    this.#held += 1
    const giveSlot = await freeSlot()
    if (!giveSlot && !insist) {
      this.#held -= 1
      return undefined
    }
    let given = false
    return async () => {
      if (given) return
      given = true
      this.#held -= 1
      await giveSlot?.()
    }
  }
}

/** One of the slots that all tabs of this origin share; undefined when there is none. A tab that is closed gives its own back. */
async function freeSlot(): Promise<Release | undefined> {
  // Node has locks too, but no such limit.
  const locks = globalThis.document && globalThis.navigator?.locks
  if (!locks) return NOTHING_HELD
  try {
    for (let slot = 1; slot <= SLOTS; slot += 1) {
      const release = await heldIfFree(locks, `haulier:stream:${slot}`)
      if (release) return release
    }
    return undefined
  } catch {
    return NOTHING_HELD // Forbidden, as in a sandboxed frame: each tab counts for itself.
  }
}

function heldIfFree(locks: LockManager, name: string): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    const over: Promise<unknown> = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined)
      return new Promise<void>((end) => {
        // Waits until it is free indeed: who asks right afterwards gets it.
        resolve(async () => {
          end()
          await over
        })
      })
    })
    over.catch(reject)
  })
}
