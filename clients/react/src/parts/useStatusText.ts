import { statusText } from '@haulier/client'
import { useEffect, useState } from 'react'
import { useHaulier } from '../provider.js'
import { useDownloadContext } from './context.js'

const TICK_MS = 1_000

/** The state in words, '' when there is nothing to say. */
export function useStatusText(): string {
  const { download, messages } = useDownloadContext()
  const { clock } = useHaulier()
  const [, tick] = useState(0)
  const isCounting = download.isProcessing && download.eta !== undefined
  useEffect(() => {
    if (!isCounting) return
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS)
    return () => clearInterval(timer)
  }, [isCounting])
  return statusText(download, messages, clock.now())
}
