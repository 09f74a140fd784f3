import type { TabChannel } from './browser.js'

/** What tabs tell each other: that a download's job is this one now, or that it changed. No URL, no token. */
interface Word {
  haulier: string
  jobId: string
}

const NAME = 'haulier'

/** The other tabs that show the same download. */
export class Tabs {
  #channel: TabChannel | undefined
  readonly #hear = (event: { data: unknown }) => {
    const word = event.data as Partial<Word> | null
    if (word?.haulier === this.hash && typeof word.jobId === 'string') this.onWord(word.jobId)
  }

  /** `given` undefined opens a channel of its own while it is listened to; null tells nobody. */
  constructor(
    readonly given: TabChannel | null | undefined,
    readonly hash: string,
    readonly onWord: (jobId: string) => void,
  ) {}

  open(): void {
    if (this.#channel || this.given === null) return
    const Channel = globalThis.BroadcastChannel
    if (!this.given && (!Channel || !globalThis.document)) return
    try {
      this.#channel = this.given ?? new Channel(NAME)
    } catch {
      return // Forbidden: this page works, others do not hear of it.
    }
    this.#channel.addEventListener('message', this.#hear)
  }

  close(): void {
    this.#channel?.removeEventListener('message', this.#hear)
    if (!this.given) this.#channel?.close()
    this.#channel = undefined
  }

  tell(jobId: string): void {
    const wasOpen = this.#channel !== undefined
    this.open()
    this.#channel?.postMessage({ haulier: this.hash, jobId } satisfies Word)
    if (!wasOpen) this.close()
  }
}
