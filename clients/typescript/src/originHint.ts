let isGiven = false

/**
 * Tells who writes a page, once, what the browser hides: that the server may not allow pages of this origin. `error` is
 * what `fetch` raised for an API at `baseUrl` that has never answered here.
 */
export function hintAtOrigins(baseUrl: string, error: unknown): void {
  const here = globalThis.document ? globalThis.location?.origin : undefined
  if (isGiven || !here || !(error instanceof TypeError) || globalThis.navigator?.onLine === false) return
  const there = new URL(baseUrl, globalThis.location.href).origin
  if (there === here) return
  isGiven = true
  console.warn(`Haulier: no answer from ${there}. If it runs, it may not allow this page: HAULIER_ALLOWED_ORIGINS has to name ${here}.`)
}
