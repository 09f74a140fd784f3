import { english, nameOf, type Messages, type Params } from '@haulier/client'
import { useMemo, useRef, type HTMLAttributes, type MouseEvent, type ReactNode } from 'react'
import { useHaulier } from '../provider.js'
import type { Via } from '../stores.js'
import { keyOf, useDownloadVia, type Download, type DownloadTarget } from '../useDownload.js'
import { Announcement } from './Announcement.js'
import { Context } from './context.js'
import { KeptFocus } from './KeptFocus.js'

type Target = { fileId: number; params?: Params | undefined; jobId?: never } | { jobId: string; fileId?: never; params?: never }

export type RootProps = Omit<HTMLAttributes<HTMLDivElement>, 'children'> &
  Target & {
    /** What is downloaded: tells people who hear the page which of several buttons this is. */
    label?: string | undefined
    messages?: Partial<Messages> | undefined
    /** How news come: a stream (the default), or one WebSocket for all buttons. */
    via?: Via | undefined
    children?: ReactNode | ((download: Download) => ReactNode)
  }

/** Holds one download for the parts inside; keeps the focus here and tells screen readers about changes of state. */
export function Root(props: RootProps) {
  const { fileId, jobId, params, label, messages, via = 'stream', children, onClickCapture, ...others } = props
  const target: DownloadTarget = jobId === undefined ? (fileId as number) : { jobId }
  const download = useDownloadVia(target, { params }, via)
  const texts = useMemo(() => ({ ...english, ...messages }), [messages])
  const isRepeatable = jobId === undefined
  const value = useMemo(
    () => ({ download, messages: texts, label, isRepeatable }),
    [download, texts, label, isRepeatable],
  )
  const element = useRef<HTMLDivElement>(null)
  const client = useHaulier()
  const name = nameOf(keyOf(target, { params }))
  // Another file in the same place, or another user's, is another subject.
  const subject = useMemo(() => ({ client, name }), [client, name])
  const actedOn = useRef<object>(undefined)
  const onAct = (event: MouseEvent<HTMLDivElement>) => {
    actedOn.current = subject
    onClickCapture?.(event)
  }
  return (
    <Context.Provider value={value}>
      <div
        role="group"
        aria-label={label}
        lang={messages?.locale}
        {...others}
        onClickCapture={onAct}
        ref={element}
        tabIndex={-1}
        data-haulier="root"
        data-phase={download.phase}
        data-connection={download.connection}
      >
        <KeptFocus root={element}>{typeof children === 'function' ? children(download) : children}</KeptFocus>
        <Announcement subject={subject} actedOn={actedOn} />
      </div>
    </Context.Provider>
  )
}
