import { useEffect, useRef, useState, type RefObject } from 'react'
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

/** Tells screen readers each new state once. What an earlier visit left behind is not news, until somebody acts. */
export function Announcement({ hasActed }: { hasActed: RefObject<boolean> }) {
  const { download, messages } = useDownloadContext()
  const { phase, error, connection } = download
  const [text, setText] = useState('')
  const wasLive = useRef(false)
  const failure = error ? messages.error(error) : ''
  const isLive = phase === 'queued' || phase === 'processing'
  const told = connection === 'offline' ? messages.offline : [messages.announce(phase), failure].filter(Boolean).join(' ')
  useEffect(() => {
    wasLive.current ||= isLive
    if (wasLive.current || hasActed.current) setText(told)
  }, [told, isLive, hasActed])
  return (
    <div role="status" aria-live="polite" aria-atomic="true" style={HIDDEN} data-haulier="announcement">
      {text}
    </div>
  )
}
