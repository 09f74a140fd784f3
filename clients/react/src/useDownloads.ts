import type { DownloadsState, JobStatus, StoreConnection } from '@haulier/client'
import { useMemo, useSyncExternalStore } from 'react'
import { useHaulier } from './provider.js'
import { ClientStores } from './stores.js'

export interface Downloads {
  /** Newest first. */
  jobs: readonly JobStatus[]
  /** Whether the list is complete, as far as `limit` goes. */
  isReady: boolean
  error: Error | undefined
  connection: StoreConnection
  /** Follows again after an `error` ended that. */
  restart: () => void
}

export interface UseDownloadsOptions {
  /** How many jobs are listed (1 to 100; 50 when absent); jobs that live are listed beyond that. */
  limit?: number | undefined
}

const NOTHING: DownloadsState = { jobs: [], ready: false, connection: 'idle' }
const nothing = () => NOTHING

/** All jobs of the user, live. */
export function useDownloads({ limit }: UseDownloadsOptions = {}): Downloads {
  const client = useHaulier()
  const shared = useMemo(() => ClientStores.of(client).list(limit), [client, limit])
  const { jobs, ready, error, connection } = useSyncExternalStore(shared.subscribe, shared.getState, nothing)
  const { restart } = shared.store
  return useMemo(
    () => ({ jobs, isReady: ready, error, connection, restart }),
    [jobs, ready, error, connection, restart],
  )
}
