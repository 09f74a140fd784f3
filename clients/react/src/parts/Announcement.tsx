import { useEffect, useRef, useState, type RefObject } from 'react'
import { spokenText } from '@haulier/client'
import { useDownloadContext } from './context.js'

const HIDDEN = {
  position: 'absolute',
  width: 1,
  height: 1,
  margin: -1,
  padding: 0,
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
  border: 0,
} as const

interface AnnouncementProps {
  /** What is shown now, and what somebody acted on last: no values, but the same object as long as it is the same. */
  subject: object
  actedOn: RefObject<object | undefined>
}

/** Tells screen readers each new state once. What an earlier visit left behind is not news, until somebody acts. */
export function Announcement({ subject, actedOn }: AnnouncementProps) {
  const { download, messages } = useDownloadContext()
  const [text, setText] = useState('')
  const wasLive = useRef<object>(undefined)
  const isLive = download.isQueued || download.isProcessing
  const told = spokenText(download, messages)
  useEffect(() => {
    if (isLive) wasLive.current = subject
    setText(wasLive.current === subject || actedOn.current === subject ? told : '')
  }, [told, isLive, subject, actedOn])
  return (
    <div role="status" aria-live="polite" aria-atomic="true" style={HIDDEN} data-haulier="announcement">
      {text}
    </div>
  )
}
