import type { TextStorage } from './browser.js'
import { newKey } from './client.js'
import type { Clock } from './clock.js'

/** A start whose outcome is not known is repeated with its key for so long; afterwards it is another start. */
const START_MS = 120_000
/** Of so many files the jobs are remembered in a browser; then the ones noted longest ago are forgotten. */
const REMEMBERED = 500

interface Noted {
  job?: string
  start?: { what: string; key: string; at: number }
  /** When it was noted. */
  at?: number
}

const PREFIX = 'haulier:'

/** What is remembered of a file's job in this browser, for all tabs: its id, never a URL or a token. */
export class Memory {
  readonly #name: string
  #hasPruned = false
  #own: Noted = {}

  constructor(
    readonly storage: TextStorage | null,
    hash: string,
    readonly clock: Clock,
  ) {
    this.#name = PREFIX + hash
  }

  job(): string | undefined {
    return this.#read().job
  }

  remember(jobId: string): void {
    this.#write({ job: jobId })
  }

  /** Forgets `jobId`, unless another tab has noted a newer job meanwhile. */
  forget(jobId: string): void {
    if (this.#read().job === jobId) this.#write({})
  }

  /** The Idempotency-Key of a start: that of the same one under way, here or in another tab, else a new one. */
  async startKey(what: string): Promise<string> {
    return exclusively(this.#name, () => {
      const { start, ...rest } = this.#read()
      if (start?.what === what && Math.abs(this.clock.now() - start.at) < START_MS) return start.key
      const key = newKey()
      this.#write({ ...rest, start: { what, key, at: this.clock.now() } })
      return key
    })
  }

  /** The start was refused: the next one is another. */
  settle(): void {
    const { start: _, ...rest } = this.#read()
    this.#write(rest)
  }

  #read(): Noted {
    if (!this.storage) return this.#own
    try {
      return notedIn(this.storage, this.#name)
    } catch {
      return this.#own
    }
  }

  #write(noted: Noted): void {
    this.#own = noted
    try {
      if (noted.job || noted.start) {
        this.storage?.setItem(this.#name, JSON.stringify({ ...noted, at: this.clock.now() }))
        // Once for each file is enough.
        if (this.storage && !this.#hasPruned) prune(this.storage)
        this.#hasPruned = true
      } else this.storage?.removeItem(this.#name)
    } catch {
      // Full, or forbidden: this page works, the next one starts without.
    }
  }
}

/** `undefined` is the page's localStorage; null where there is none, or where it is forbidden. */
export function storageOf(given: TextStorage | null | undefined): TextStorage | null {
  if (given !== undefined) return given
  try {
    // Node has one too, which is no page's.
    return globalThis.document ? globalThis.localStorage : null
  } catch {
    return null
  }
}

/** A short name for a user's download on a server: 53 bits in base 36 (cyrb53; nothing secret hangs on it). */
export function hashOf(baseUrl: string, user: string, name: string): string {
  const text = JSON.stringify([baseUrl, user, name])
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    high = Math.imul(high ^ unit, 2654435761)
    low = Math.imul(low ^ unit, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36)
}

function notedIn(storage: TextStorage, name: string): Noted {
  const text = storage.getItem(name) ?? '{}'
  try {
    const value: unknown = JSON.parse(text)
    return isNoted(value) ? value : {}
  } catch {
    return {}
  }
}

function isNoted(value: unknown): value is Noted {
  if (typeof value !== 'object' || value === null) return false
  const { job, start } = value as Noted
  return (job === undefined || typeof job === 'string') && (start === undefined || typeof start.key === 'string')
}

function prune(storage: TextStorage): void {
  const found: { name: string; at: number }[] = []
  for (let index = 0; index < (storage.length ?? 0); index += 1) {
    const name = storage.key?.(index) ?? ''
    const { job, start, at = 0 } = name.startsWith(PREFIX) ? notedIn(storage, name) : {}
    // Something else of that name is not ours to remove.
    if (job || start) found.push({ name, at })
  }
  found.sort((one, other) => other.at - one.at)
  for (const { name } of found.slice(REMEMBERED)) storage.removeItem(name)
}

/** Two tabs do not do this at once, where the browser can say so (Web Locks; on secure pages). */
async function exclusively<T>(name: string, action: () => T): Promise<T> {
  const locks = globalThis.navigator?.locks
  if (!locks) return action()
  let isDone = false
  try {
    return await locks.request(name, async () => {
      isDone = true
      return action()
    })
  } catch (error) {
    if (isDone) throw error
    return action() // Forbidden, as in a sandboxed frame.
  }
}
