import type { DownloadPhase } from './downloadState.js'
import { reasonIn } from './reasons.js'

/** All texts of a download, for every user interface. */
export interface Messages {
  /** For numbers and units: a BCP 47 tag. */
  locale: string
  download: string
  preparing: string
  save: string
  cancel: string
  retry: string
  startAgain: string
  /** Name of the progress bar when the button has no label. */
  progress: string
  starting: string
  queued: (place: number | undefined) => string
  /** Queued again after an attempt that failed. */
  waitingToRetry: (attempt: number) => string
  /** `left` is a duration in words, undefined when it is not known. */
  processing: (percent: number, left: string | undefined) => string
  completed: (fileName: string | undefined, size: string | undefined) => string
  cancelled: string
  failed: string
  offline: string
  error: (error: Error) => string
  /** What a screen reader is told when the state changes; no numbers that go on changing. */
  announce: (phase: DownloadPhase) => string
}

export const english: Messages = {
  locale: 'en',
  download: 'Download',
  preparing: 'Preparing…',
  save: 'Save file',
  cancel: 'Cancel',
  retry: 'Try again',
  startAgain: 'Start again',
  progress: 'Progress of the download',
  starting: 'Asking for the file…',
  queued: (place) => (place ? `Waiting, number ${place} in the queue` : 'Waiting'),
  waitingToRetry: (attempt) => `Attempt ${attempt} did not succeed, another one follows`,
  processing: (percent, left) => (left ? `${percent} %, about ${left} left` : `${percent} %`),
  completed: (fileName, size) => ['Ready', fileName, size].filter(Boolean).join(' · '),
  cancelled: 'Cancelled',
  failed: 'This did not succeed.',
  offline: 'No connection. It goes on by itself once the connection is back.',
  error: (error) => reasonIn('en', error),
  announce: (phase) => ANNOUNCED[phase],
}

const ANNOUNCED: Record<DownloadPhase, string> = {
  idle: '',
  starting: 'Asking for the file.',
  queued: 'The file is waiting to be prepared.',
  processing: 'The file is being prepared.',
  completed: 'The file is ready.',
  failed: 'The file could not be prepared.',
  cancelled: 'Cancelled.',
}

export const german: Messages = {
  locale: 'de',
  download: 'Herunterladen',
  preparing: 'Wird vorbereitet …',
  save: 'Datei speichern',
  cancel: 'Abbrechen',
  retry: 'Erneut versuchen',
  startAgain: 'Noch einmal starten',
  progress: 'Fortschritt des Downloads',
  starting: 'Die Datei wird angefordert …',
  queued: (place) => (place ? `In der Warteschlange, Platz ${place}` : 'In der Warteschlange'),
  waitingToRetry: (attempt) => `Versuch ${attempt} ist nicht gelungen, es folgt ein weiterer`,
  processing: (percent, left) => (left ? `${percent} %, noch ungefähr ${left}` : `${percent} %`),
  completed: (fileName, size) => ['Bereit', fileName, size].filter(Boolean).join(' · '),
  cancelled: 'Abgebrochen',
  failed: 'Das ist nicht gelungen.',
  offline: 'Keine Verbindung. Sobald sie wieder da ist, geht es von selbst weiter.',
  error: (error) => reasonIn('de', error),
  announce: (phase) => ANNOUNCED_IN_GERMAN[phase],
}

const ANNOUNCED_IN_GERMAN: Record<DownloadPhase, string> = {
  idle: '',
  starting: 'Die Datei wird angefordert.',
  queued: 'Die Datei wartet auf die Vorbereitung.',
  processing: 'Die Datei wird vorbereitet.',
  completed: 'Die Datei ist bereit.',
  failed: 'Die Datei konnte nicht vorbereitet werden.',
  cancelled: 'Abgebrochen.',
}
