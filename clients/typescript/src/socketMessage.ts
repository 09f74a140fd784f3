import type { JobStatus } from './types.js'

/** What the server says on a WebSocket. */
export type Message =
  | ({ type: 'status'; cursor?: string } & JobStatus)
  | { type: 'ready' | 'pong' }
  | { type: 'subscribed' | 'unsubscribed'; job_id?: string; all?: boolean; cursor?: string }
  | { type: 'error'; code: string; message: string; job_id?: string }

/** The message in a frame; undefined for what is none. */
export function parsedMessage(frame: unknown): Message | undefined {
  try {
    const value: unknown = JSON.parse(String(frame))
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

/** Where the socket of an API at `baseUrl` is. */
export function socketUrl(baseUrl: string): string {
  const base = new URL(`${baseUrl}/ws`, globalThis.location?.href)
  base.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:'
  return base.href
}
