import type { PageDocument } from './browser.js'
import { sleep, type Clock } from './clock.js'

/** Whether somebody can see us. Without a document (Node, workers) always. */
export interface Page {
  hidden(): boolean
  /** Calls back when that changes and when the network is back: now a look is worthwhile. Answers how to stop that. */
  onChange(listener: () => void): () => void
}

/** `undefined` is the global document, `null` none. */
export function pageOf(document: PageDocument | null | undefined): Page {
  const found = document === undefined ? (globalThis.document as PageDocument | undefined) : document
  if (!found) return { hidden: () => false, onChange: () => () => undefined }
  return {
    hidden: () => found.visibilityState === 'hidden',
    onChange(listener) {
      const window = found.defaultView
      found.addEventListener('visibilitychange', listener)
      window?.addEventListener('online', listener)
      return () => {
        found.removeEventListener('visibilitychange', listener)
        window?.removeEventListener('online', listener)
      }
    },
  }
}

/** Resolves at once on a page that is shown, else when it is. Rejects with the signal's reason. */
export function shown(page: Page, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    if (!page.hidden()) return resolve()
    const settle = (finish: () => void) => {
      stop()
      signal?.removeEventListener('abort', aborted)
      finish()
    }
    const aborted = () => settle(() => reject(signal?.reason as Error))
    const stop = page.onChange(() => {
      if (!page.hidden()) settle(resolve)
    })
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** Waits `ms`, and as long as the page is hidden; a page that is shown or online again does not wait for the rest of `ms`. */
export async function pause(clock: Clock, ms: number, page: Page, signal?: AbortSignal): Promise<void> {
  const cut = new AbortController()
  const abort = () => cut.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  const stop = page.onChange(() => cut.abort(cut))
  try {
    await sleep(clock, ms, cut.signal)
  } catch (reason) {
    if (reason !== cut) throw reason
  } finally {
    stop()
    signal?.removeEventListener('abort', abort)
  }
  await shown(page, signal)
}
