import { HaulierError, type HaulierClient } from '@haulier/client'
import { useCallback, useEffect, useRef, useState } from 'react'

export interface OpeningFailure {
  jobId: string
  error: Error
  isGone: boolean
}

/** Going to a file: `open` asks for a URL when it is needed, and `failure` is why there was none. */
export function useOpening(jobId: string | undefined, client: HaulierClient, openUrl: (url: string) => void) {
  const [failed, setFailed] = useState<OpeningFailure>()
  const isMounted = useRef(false)
  useEffect(() => {
    isMounted.current = true
    return () => {
      isMounted.current = false
    }
  }, [])
  const open = useCallback(async () => {
    if (!jobId) return
    try {
      openUrl(await client.downloadUrl(jobId))
      if (isMounted.current) setFailed(undefined)
    } catch (caught) {
      const error = caught instanceof Error ? caught : new Error(String(caught))
      const isGone = error instanceof HaulierError && [404, 410].includes(error.status)
      if (isMounted.current) setFailed({ jobId, error, isGone })
    }
  }, [jobId, client, openUrl])
  return { open, failure: failed?.jobId === jobId ? failed : undefined }
}
