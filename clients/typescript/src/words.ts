import type { DownloadPhase, StoreConnection } from './downloadState.js'
import { HaulierError } from './errors.js'
import type { Messages } from './messages.js'
import type { JobStatus } from './types.js'
import { duration, size } from './units.js'

/** What there is to say of a download: its state, or what a component made of it. */
export interface Told {
  phase: DownloadPhase
  job?: JobStatus | undefined
  error?: Error | undefined
  connection: StoreConnection
}

/** The state in words, '' when there is nothing to say. `now` in milliseconds, for the time left. */
export function statusText({ phase, job, error, connection }: Told, messages: Messages, now: number): string {
  if (connection === 'offline') return messages.offline
  if (error) return messages.error(error)
  switch (phase) {
    case 'idle':
      return ''
    case 'starting':
      return messages.starting
    case 'queued':
      return job?.retry_at ? messages.waitingToRetry(job.attempt) : messages.queued(job?.queue_position)
    case 'processing':
      return messages.processing(job?.progress ?? 0, left(job, messages, now))
    case 'completed': {
      const bytes = job?.file_size
      return messages.completed(job?.file_name, bytes === undefined ? undefined : size(bytes, messages.locale))
    }
    case 'failed':
      return messages.failed
    case 'cancelled':
      return messages.cancelled
  }
}

/** What a screen reader is told of the state: without numbers that go on changing. */
export function spokenText({ phase, error, connection }: Told, messages: Messages): string {
  if (connection === 'offline') return messages.offline
  return [messages.announce(phase), error ? messages.error(error) : ''].filter(Boolean).join(' ')
}

/** The server's own English sentence, where `statusText` says it in other words. */
export function originalReason({ error, connection }: Told, messages: Messages): string | undefined {
  if (connection === 'offline' || !(error instanceof HaulierError)) return undefined
  return messages.error(error) === error.message ? undefined : error.message
}

function left(job: JobStatus | undefined, messages: Messages, now: number): string | undefined {
  const ms = job?.estimated_completion ? Date.parse(job.estimated_completion) - now : NaN
  return ms > 0 ? duration(ms / 1000, messages.locale) : undefined
}
