import type { Clock } from './clock.js'

export interface Limited {
  signal: AbortSignal
  /** Starts the time anew with another length. */
  lengthen(ms: number): void
  /** Whether the time was over, rather than the outer signal aborted. */
  expired(): boolean
  abort(reason?: unknown): void
  /** Takes timer and listener away; must be called. */
  release(): void
}

/** A signal that aborts after `ms`, or with the outer one. (AbortSignal.any and timeout know no clock of ours.) */
export function limited(clock: Clock, ms: number, outer?: AbortSignal): Limited {
  const controller = new AbortController()
  let over = false
  const expire = () => {
    over = true
    controller.abort(new Error(`Nothing for ${length} ms.`))
  }
  let length = ms
  let timer = clock.setTimeout(expire, ms)
  const abort = () => controller.abort(outer?.reason)
  const start = (next: number) => {
    length = next
    clock.clearTimeout(timer)
    timer = clock.setTimeout(expire, length)
  }
  if (outer?.aborted) abort()
  else outer?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    lengthen: start,
    expired: () => over,
    abort: (reason) => controller.abort(reason),
    release() {
      clock.clearTimeout(timer)
      outer?.removeEventListener('abort', abort)
    },
  }
}
