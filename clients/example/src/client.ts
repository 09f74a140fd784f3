import { HaulierClient } from '@haulier/client'

const KEPT_MS = 60_000
let kept: { token: Promise<string>; since: number } | undefined

/** The client asks before each request, so a token is kept for a while. */
function token(): Promise<string> {
  if (!kept || Date.now() - kept.since > KEPT_MS) {
    const asked = askToken()
    kept = { token: asked, since: Date.now() }
    asked.catch(() => (kept = undefined))
  }
  return kept.token
}

async function askToken(): Promise<string> {
  const answer = await fetch('/token', { signal: AbortSignal.timeout(20_000) })
  if (!answer.ok) throw new Error(await answer.text())
  return answer.text()
}

export const client = new HaulierClient({ token })
