import { useEffect, useState } from 'react'
import type { Messages } from '../messages.js'
import { duration, size } from '../units.js'
import type { Download } from '../useDownload.js'
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

function statusText(download: Download, messages: Messages, now: number): string {
  const { phase, job, error, connection, eta } = download
  if (connection === 'offline') return messages.offline
  if (phase === 'failed') return error ? messages.error(error) : messages.failed
  if (error) return messages.error(error)
  if (phase === 'starting') return messages.starting
  if (phase === 'queued') return job?.retry_at ? messages.waitingToRetry(job.attempt) : messages.queued(download.position)
  if (phase === 'processing') {
    const left = eta && eta.getTime() > now ? duration((eta.getTime() - now) / 1000, messages.locale) : undefined
    return messages.processing(download.progress, left)
  }
  if (phase === 'completed') {
    const bytes = job?.file_size
    return messages.completed(job?.file_name, bytes === undefined ? undefined : size(bytes, messages.locale))
  }
  return phase === 'cancelled' ? messages.cancelled : ''
}
