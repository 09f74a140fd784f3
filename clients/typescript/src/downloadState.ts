import { HaulierError, isCode } from './errors.js'
import type { Connection } from './following.js'
import type { JobStatus } from './types.js'

export type DownloadPhase = 'idle' | 'starting' | 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled'

/** `live`: told at once; `polling`: looked up; `offline`: the server does not answer; `idle`: nothing to follow. */
export type StoreConnection = 'live' | 'polling' | 'offline' | 'idle'

export interface DownloadState {
  /** `starting`: the request is on its way, or the job of an earlier visit is being looked up. */
  phase: DownloadPhase
  job?: JobStatus
  /** Why the last action or look failed; for a failed job the job's own error. */
  error?: HaulierError | Error
  connection: StoreConnection
}

/** Nothing was asked for. */
export const IDLE: DownloadState = Object.freeze({ phase: 'idle', connection: 'idle' })

/** There is a job, which nobody has looked at yet. */
export const LOOKING: DownloadState = Object.freeze({ phase: 'starting', connection: 'idle' })

export function shownAs(connection: Connection): StoreConnection {
  if (connection === 'sse') return 'live'
  return connection === 'offline' ? 'offline' : 'polling'
}

/** Why a job failed, as an error. */
export function failureOf(error: { code: string; message: string }): HaulierError {
  return new HaulierError({ code: error.code, status: 0, detail: error.message })
}

/** Nothing was started, and asking again can only bring the same answer: the request is wrong, or there is no such job. */
export function isRefused({ phase, error }: { phase: DownloadPhase; error?: Error | undefined }): boolean {
  return phase === 'idle' && (isCode(error, 'job_not_found') || isCode(error, 'invalid_request'))
}

/** The job lives and is not followed any more, because that was refused: `start()` follows it again. */
export function isStuck(state: { phase: DownloadPhase; error?: Error | undefined; connection: StoreConnection }): boolean {
  const lives = state.phase === 'queued' || state.phase === 'processing'
  return lives && state.error !== undefined && state.connection === 'idle'
}
