import {
  HaulierError,
  isGone,
  isRefused,
  isStuck,
  originalReason,
  spokenText,
  statusText,
  type DownloadState,
  type Messages,
} from '@haulier/client'

/** What the element shows of a state. `action` is what the main button does, if anything. */
export interface View {
  label: string
  /** What is downloaded: tells buttons apart for those who hear them. */
  subject: string
  action: 'start' | 'save' | 'retry' | undefined
  /** Whether there is a main button at all: not where it could only bring the same answer again. */
  hasButton: boolean
  canCancel: boolean
  status: string
  /** The server's own English sentence, where `status` says it in another language. */
  original: string | undefined
  isBad: boolean
  /** Percent; null while nothing is known, undefined when there is no bar. */
  progress: number | null | undefined
  /** Said to those who do not see it: states, not each percent. */
  spoken: string
}

export interface Look {
  messages: Messages
  label: string
  /** A job that was named by its id: it cannot be asked for again. */
  isNamed: boolean
  /** A token that was refused will be refused again. */
  isFixed: boolean
  now: number
}

export function viewOf(state: DownloadState, { messages, label, isNamed, isFixed, now }: Look): View {
  const { job, phase, error } = state
  const plain: View = {
    label: label || messages.download,
    subject: label || job?.file_name || '',
    action: undefined,
    hasButton: true,
    canCancel: false,
    status: statusText(state, messages, now),
    original: originalReason(state, messages),
    isBad: error !== undefined,
    progress: undefined,
    spoken: spokenText(state, messages),
  }
  switch (phase) {
    case 'idle':
      if (isDeadEnd(state, isFixed)) return { ...plain, hasButton: false }
      return isNamed && error ? { ...plain, label: messages.retry, action: 'start' } : { ...plain, action: 'start' }
    case 'starting':
      return { ...plain, label: messages.preparing, progress: null }
    case 'queued':
    case 'processing': {
      const progress = phase === 'processing' ? (job?.progress ?? 0) : null
      const busy: View = { ...plain, label: messages.preparing, canCancel: true, progress }
      return isStuck(state) ? { ...busy, label: messages.retry, action: 'start' } : busy
    }
    case 'completed':
      if (!isGone(error)) return { ...plain, label: messages.save, action: 'save' }
      return isNamed ? { ...plain, label: messages.save } : { ...plain, label: messages.retry, action: 'start' }
    case 'failed':
      return { ...plain, label: messages.retry, action: 'retry' }
    case 'cancelled':
      return { ...plain, label: messages.startAgain, action: 'start' }
  }
}

const BAD_ATTRIBUTE = 'bad_attribute'

/** What is wrong with the element itself, for those who write the page. */
export function badAttribute(detail: string): HaulierError {
  return new HaulierError({ code: BAD_ATTRIBUTE, status: 0, detail })
}

function isDeadEnd(state: DownloadState, isFixed: boolean): boolean {
  const { error } = state
  if (isRefused(state)) return true
  return error instanceof HaulierError && (error.code === BAD_ATTRIBUTE || (isFixed && error.status === 401))
}
