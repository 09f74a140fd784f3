interface Store<State> {
  getState: () => State
  subscribe: (listener: () => void) => () => void
}

/**
 * A store that several components show. It stays awake for one turn after the last of them has left, so that a
 * component that is mounted twice (StrictMode, a changed key) makes one request.
 */
export class Shared<State, S extends Store<State>> {
  readonly #listeners = new Set<{ listener: () => void }>()
  #release: (() => void) | undefined
  #leaving: ReturnType<typeof setTimeout> | undefined

  /** `onLeft` is called when nobody shows it any more. */
  constructor(
    readonly store: S,
    readonly onLeft: () => void = () => undefined,
  ) {}

  get isShown(): boolean {
    return this.#release !== undefined
  }

  readonly getState = (): State => this.store.getState()

  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = { listener }
    this.#listeners.add(entry)
    clearTimeout(this.#leaving)
    this.#release ??= this.store.subscribe(() => this.#tell())
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#leaving = setTimeout(() => this.#leave())
    }
  }

  #tell(): void {
    for (const entry of [...this.#listeners]) if (this.#listeners.has(entry)) entry.listener()
  }

  #leave(): void {
    if (this.#listeners.size > 0) return
    this.#release?.()
    this.#release = undefined
    this.onLeft()
  }
}
