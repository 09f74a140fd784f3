import { NetworkError } from './errors.js'
import type { JobStatus, StatusName } from './types.js'

/** The statuses that never change again. */
export const TERMINAL: ReadonlySet<StatusName> = new Set<StatusName>(['completed', 'failed', 'cancelled'])

/** Whether a job with this status is over. */
export function isTerminal(status: StatusName): boolean {
  return TERMINAL.has(status)
}

/** Whether `next` tells something that `known` does not. A version below the known one never does. */
export function isNews(next: JobStatus, known: JobStatus | undefined): boolean {
  if (!known || known.job_id !== next.job_id) return true
  if (next.version !== known.version) return next.version > known.version
  // The same version comes again with another place in the queue, or a fresher URL.
  return JSON.stringify(next) !== JSON.stringify(known)
}

/** The job of an event. Raises NetworkError for anything else: the connection is damaged. */
export function parsedJob(data: string): JobStatus {
  try {
    const job = JSON.parse(data) as Partial<JobStatus> | null
    if (typeof job?.job_id === 'string' && typeof job.version === 'number') return job as JobStatus
  } catch (error) {
    throw new NetworkError('An event is damaged.', { cause: error })
  }
  throw new NetworkError('An event is no job.')
}
