/** What is used of a browser, so that the package's types need no DOM library: Node has none. */

/** A `Document`, as far as its visibility goes. */
export interface PageDocument {
  readonly visibilityState: string
  readonly defaultView?: Listened | null
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
}

interface Listened {
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
}

/** A `Storage`. What was noted longest ago is removed only where it tells its names. */
export interface TextStorage {
  readonly length?: number
  key?(index: number): string | null
  getItem(name: string): string | null
  setItem(name: string, text: string): void
  removeItem(name: string): void
}

/** A `BroadcastChannel`. */
export interface TabChannel {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  removeEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
  close(): void
}
