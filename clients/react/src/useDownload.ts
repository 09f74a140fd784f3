import {
  IDLE,
  isStuck,
  nameOf,
  type DownloadKey,
  type DownloadPhase,
  type DownloadState,
  type JobStatus,
  type Params,
  type StoreConnection,
} from '@haulier/client'
import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { useHaulierContext } from './provider.js'
import { ClientStores, type Via } from './stores.js'
import { useOpening } from './useOpening.js'

/** One download, as a component shows it. The functions never reject: what went wrong is `error`. */
export interface Download {
  phase: DownloadPhase
  job: JobStatus | undefined
  /** Asks for the file; after `cancelled` and `failed` too, and for a file that is gone. A job that was named it retries. */
  start: () => Promise<void>
  cancel: () => Promise<void>
  /** A new job for one that failed or was cancelled. */
  retry: () => Promise<void>
  /** Asks for a fresh URL and goes there. */
  open: () => Promise<void>
  isIdle: boolean
  /** The request is on its way, or the job of an earlier visit is being looked up. */
  isStarting: boolean
  isQueued: boolean
  isProcessing: boolean
  isCompleted: boolean
  isFailed: boolean
  isCancelled: boolean
  /** Completed, but the server has no such file any more. */
  isGone: boolean
  /** The job lives, but following it was refused, and `error` is why. `start` follows it again. */
  isStuck: boolean
  /** The URL of the last status; it may have expired since. `open` asks for a fresh one. */
  downloadUrl: string | undefined
  /** 0 to 100. */
  progress: number
  /** Place in the queue, from 1; while queued, when it is known. */
  position: number | undefined
  /** When it will be there, as far as the server can tell; while it is not. */
  eta: Date | undefined
  error: Error | undefined
  connection: StoreConnection
}

export interface UseDownloadOptions {
  params?: Params | undefined
}

/** A file: its job is started here, found again after a reload, and shared with other tabs. Or a job that is there already. */
export type DownloadTarget = number | { jobId: string }

export function useDownload(fileId: number, options?: UseDownloadOptions): Download
export function useDownload(job: { jobId: string }): Download
export function useDownload(target: DownloadTarget, options?: UseDownloadOptions): Download
export function useDownload(target: DownloadTarget, options: UseDownloadOptions = {}): Download {
  return useDownloadVia(target, options, 'stream')
}

/** As `useDownload`; the news of all such downloads come over one WebSocket. */
export function useWebSocketDownload(fileId: number, options?: UseDownloadOptions): Download
export function useWebSocketDownload(job: { jobId: string }): Download
export function useWebSocketDownload(target: DownloadTarget, options?: UseDownloadOptions): Download
export function useWebSocketDownload(target: DownloadTarget, options: UseDownloadOptions = {}): Download {
  return useDownloadVia(target, options, 'websocket')
}

const nothing = () => IDLE

export function useDownloadVia(target: DownloadTarget, options: UseDownloadOptions, via: Via): Download {
  const { client, openUrl } = useHaulierContext()
  const given = keyOf(target, options)
  const name = nameOf(given)
  // Params are mostly written anew for each render: what counts is what they say.
  const shared = useMemo(() => ClientStores.of(client).download(given, via), [client, name, via])
  const state = useSyncExternalStore(shared.subscribe, shared.getState, nothing)
  const { store } = shared
  const opening = useOpening(state.job?.job_id, client, openUrl)
  const { open, failure } = opening
  const retry = useCallback(() => (failure ? store.start() : store.retry()), [store, failure])
  return useMemo(
    () => ({ ...shown(state, failure), start: store.start, cancel: store.cancel, retry, open }),
    [state, failure, store, retry, open],
  )
}

export function keyOf(target: DownloadTarget, { params }: UseDownloadOptions): DownloadKey {
  return typeof target === 'number' ? { fileId: target, params } : target
}

function shown(state: DownloadState, failure: { error: Error; isGone: boolean } | undefined) {
  const { phase, job, connection } = state
  const isOpen = phase === 'queued' || phase === 'processing'
  return {
    phase,
    job,
    connection,
    isIdle: phase === 'idle',
    isStarting: phase === 'starting',
    isQueued: phase === 'queued',
    isProcessing: phase === 'processing',
    isCompleted: phase === 'completed',
    isFailed: phase === 'failed',
    isCancelled: phase === 'cancelled',
    isGone: phase === 'completed' && failure?.isGone === true,
    isStuck: isStuck(state),
    downloadUrl: phase === 'completed' ? job?.download_url : undefined,
    progress: phase === 'completed' ? 100 : (job?.progress ?? 0),
    position: phase === 'queued' ? job?.queue_position : undefined,
    eta: isOpen && job?.estimated_completion ? new Date(job.estimated_completion) : undefined,
    error: state.error ?? failure?.error,
  }
}
