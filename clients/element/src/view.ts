import type { DownloadState } from '@haulier/client'
import { leftWords, sizeWords, type Messages } from './messages.js'

/** What the element shows of a state. `action` is what the main button does, if anything. */
export interface View {
  label: string
  action: 'start' | 'save' | 'retry' | undefined
  canCancel: boolean
  status: string
  isBad: boolean
  /** Percent; null while nothing is known, undefined when there is no bar. */
  progress: number | null | undefined
  /** Said to those who do not see it: states, not each percent. */
  spoken: string
}

export interface Look {
  messages: Messages
  label: string
  language: string
  now: number
}

export function viewOf(state: DownloadState, { messages, label, language, now }: Look): View {
  const { job, phase } = state
  const nothing: View = {
    label: label || messages.download,
    action: 'start',
    canCancel: false,
    status: '',
    isBad: false,
    progress: undefined,
    spoken: '',
  }
  const busy = { ...nothing, action: undefined, canCancel: job !== undefined }
  switch (phase) {
    case 'idle': {
      const problem = state.error ? problemOf(state.error, messages) : ''
      return { ...nothing, status: problem, isBad: problem !== '', spoken: problem }
    }
    case 'starting':
      return { ...busy, label: messages.starting, canCancel: false, progress: null, spoken: messages.starting }
    case 'queued': {
      const place = messages.queued(job?.queue_position)
      return { ...busy, label: messages.queued(undefined), status: notes(state, place, look()), progress: null, spoken: place }
    }
    case 'processing': {
      const percent = job?.progress ?? 0
      const words = messages.preparing(percent)
      return {
        ...busy,
        label: words,
        status: notes(state, '', look()),
        progress: percent,
        spoken: messages.preparing(0).replace(/[,\s]*0 %/, ''),
      }
    }
    case 'completed': {
      const name = job?.file_name ?? messages.download
      const ready = messages.ready(name, sizeWords(job?.file_size, language))
      const problem = state.error ? problemOf(state.error, messages) : ''
      return { ...nothing, label: messages.save, action: 'save', status: problem || ready, isBad: problem !== '', spoken: problem || ready }
    }
    case 'failed': {
      const failed = messages.failed(state.error?.message ?? job?.error?.message ?? '')
      return { ...nothing, label: messages.again, action: 'retry', status: failed, isBad: true, spoken: failed }
    }
    case 'cancelled':
      return { ...nothing, label: messages.again, action: 'retry', status: messages.cancelled, spoken: messages.cancelled }
  }

  function look(): string {
    const left = job ? leftWords(job, now, language) : ''
    return left ? messages.left(left) : ''
  }

  function notes(of: DownloadState, ...parts: string[]): string {
    const all = of.connection === 'offline' ? [...parts, messages.offline] : parts
    return all.filter(Boolean).join(' · ')
  }
}

export function problemOf(error: Error, messages: Messages): string {
  return error.name === 'NoToken' ? messages.noToken : messages.problem(error.message)
}
