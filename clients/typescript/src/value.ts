/** A value that can be listened to; what stores are made of. */
export class Value<T> {
  #value: T
  #ended = false
  readonly #listeners = new Set<{ listener: () => void }>()

  constructor(
    initial: T,
    readonly hooks: { first: () => void; last: () => void },
  ) {
    this.#value = initial
  }

  get(): T {
    return this.#value
  }

  get listened(): boolean {
    return this.#listeners.size > 0
  }

  get ended(): boolean {
    return this.#ended
  }

  set(next: T): void {
    if (this.#ended) return
    this.#value = next
    for (const entry of [...this.#listeners]) if (this.#listeners.has(entry)) entry.listener()
  }

  /** Calls back after each change until the answered function is called. */
  subscribe(listener: () => void): () => void {
    if (this.#ended) return () => undefined
    const entry = { listener }
    this.#listeners.add(entry)
    if (this.#listeners.size === 1) this.hooks.first()
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.hooks.last()
    }
  }

  /** No listener is called from now on. */
  end(): void {
    this.#ended = true
    this.#listeners.clear()
  }
}
