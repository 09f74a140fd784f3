import { asError, isGone, type HaulierClient } from '@haulier/client'
import { useCallback, useEffect, useRef, useState } from 'react'

export interface OpeningFailure {
  jobId: string
  error: Error
  isGone: boolean
}

/** Going to a file: `open` asks for a URL when it is needed, and `failure` is why there was none. */
export function useOpening(jobId: string | undefined, client: HaulierClient, openUrl: (url: string) => void) {
  const [failed, setFailed] = useState<OpeningFailure>()
  const shown = useRef<HaulierClient>(undefined)
  const opening = useRef<string>(undefined)
  useEffect(() => {
    shown.current = client
    return () => {
      shown.current = undefined
    }
  }, [client])
  const open = useCallback(async () => {
    // Two clicks are one.
    if (!jobId || opening.current === jobId) return
    opening.current = jobId
    // Another client is another user's.
    const isPast = () => shown.current !== undefined && shown.current !== client
    try {
      const url = await client.downloadUrl(jobId)
      if (isPast()) return
      openUrl(url)
      if (shown.current) setFailed(undefined)
    } catch (caught) {
      if (shown.current === client) setFailed({ jobId, error: asError(caught), isGone: isGone(caught) })
    } finally {
      opening.current = undefined
    }
  }, [jobId, client, openUrl])
  return { open, failure: failed?.jobId === jobId ? failed : undefined }
}
