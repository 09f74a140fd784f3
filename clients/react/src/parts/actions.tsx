import { forwardRef, type AnchorHTMLAttributes, type KeyboardEvent, type MouseEvent } from 'react'
import { isRefused } from '@haulier/client'
import type { Download } from '../useDownload.js'
import { Action, composed, ignoreRepeat, type ActionProps } from './Action.js'
import { useDownloadContext } from './context.js'

/** Starts; there until the file is, or the job has failed. While the job lives it stays, and does nothing. */
export const Trigger = forwardRef<HTMLButtonElement, ActionProps>(function Trigger({ children, ...others }, ref) {
  const { download, messages, isRepeatable } = useDownloadContext()
  if (download.isCompleted || download.isFailed || isRefused(download)) return null
  const isBusy = isUnderWay(download) && !download.isStuck
  // A job that was named is there already: looking failed.
  const isUnseen = !isRepeatable && download.isIdle && download.error !== undefined
  const idle = download.isStuck || isUnseen ? messages.retry : download.isCancelled ? messages.startAgain : messages.download
  const text = isBusy ? messages.preparing : idle
  // aria-disabled, not disabled: a disabled button would lose the focus.
  const run = () => void (isBusy || download.start())
  return (
    <Action {...others} ref={ref} part="trigger" run={run} aria-disabled={isBusy || undefined}>
      {children ?? text}
    </Action>
  )
})

/** There while the job can be cancelled. */
export const Cancel = forwardRef<HTMLButtonElement, ActionProps>(function Cancel({ children, ...others }, ref) {
  const { download, messages } = useDownloadContext()
  if (!isUnderWay(download)) return null
  return (
    <Action {...others} ref={ref} part="cancel" run={() => void download.cancel()}>
      {children ?? messages.cancel}
    </Action>
  )
})

/** There when the job has failed, or its file is gone. */
export const Retry = forwardRef<HTMLButtonElement, ActionProps>(function Retry({ children, ...others }, ref) {
  const { download, messages, isRepeatable } = useDownloadContext()
  if (!download.isFailed && !(download.isGone && isRepeatable)) return null
  return (
    <Action {...others} ref={ref} part="retry" run={() => void download.retry()}>
      {children ?? messages.retry}
    </Action>
  )
})

/** There when the file is. A plain click asks for a fresh URL; what the browser offers besides uses the last one known. */
export const Link = forwardRef<HTMLAnchorElement, AnchorHTMLAttributes<HTMLAnchorElement>>(function Link(
  { children, onClick, onKeyDown, ...others },
  ref,
) {
  const { download, messages } = useDownloadContext()
  if (!download.isCompleted || download.isGone) return null
  const visit = (event: MouseEvent<HTMLAnchorElement>) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    void download.open()
  }
  return (
    <a
      href={download.downloadUrl ?? '#'}
      {...others}
      ref={ref}
      data-haulier="link"
      onClick={composed(onClick, visit)}
      onKeyDown={composed<KeyboardEvent<HTMLAnchorElement>>(onKeyDown, ignoreRepeat)}
    >
      {children ?? messages.save}
    </a>
  )
})

export function isUnderWay(download: Download): boolean {
  return download.isStarting || download.isQueued || download.isProcessing
}
