import type { JobStatus } from '@haulier/client'

/** Every text of the element. */
export interface Messages {
  download: string
  starting: string
  queued: (position: number | undefined) => string
  preparing: (percent: number) => string
  ready: (fileName: string, size: string) => string
  save: string
  failed: (reason: string) => string
  cancelled: string
  again: string
  cancel: string
  left: (time: string) => string
  offline: string
  noToken: string
  problem: (reason: string) => string
}

export const ENGLISH: Messages = {
  download: 'Download',
  starting: 'Asking for the file …',
  queued: (position) => (position === undefined ? 'Waiting for its turn' : `Waiting, place ${position} in the queue`),
  preparing: (percent) => `Preparing, ${percent} %`,
  ready: (fileName, size) => (size ? `${fileName} is ready (${size})` : `${fileName} is ready`),
  save: 'Save file',
  failed: (reason) => `The file could not be prepared: ${reason}`,
  cancelled: 'Cancelled',
  again: 'Try again',
  cancel: 'Cancel',
  left: (time) => `${time} left`,
  offline: 'The server does not answer; trying again',
  noToken: 'This page has not said who you are, so nothing can be asked for.',
  problem: (reason) => `That did not work: ${reason}`,
}

export const GERMAN: Messages = {
  download: 'Herunterladen',
  starting: 'Die Datei wird angefordert …',
  queued: (position) => (position === undefined ? 'Wartet auf die Bearbeitung' : `Wartet, Platz ${position} in der Schlange`),
  preparing: (percent) => `Wird vorbereitet, ${percent} %`,
  ready: (fileName, size) => (size ? `${fileName} ist fertig (${size})` : `${fileName} ist fertig`),
  save: 'Datei speichern',
  failed: (reason) => `Die Datei konnte nicht vorbereitet werden: ${reason}`,
  cancelled: 'Abgebrochen',
  again: 'Noch einmal versuchen',
  cancel: 'Abbrechen',
  left: (time) => `noch ${time}`,
  offline: 'Der Server antwortet nicht; neuer Versuch folgt',
  noToken: 'Diese Seite hat nicht gesagt, wer Sie sind; so kann nichts angefordert werden.',
  problem: (reason) => `Das hat nicht geklappt: ${reason}`,
}

export function messagesFor(language: string): Messages {
  return language.toLowerCase().startsWith('de') ? GERMAN : ENGLISH
}

/** A size in words: '3.4 MB'. Empty while it is not known. */
export function sizeWords(bytes: number | undefined, language: string): string {
  if (bytes === undefined) return ''
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const unit = units[power] ?? 'byte'
  const value = bytes / 1000 ** power
  const digits = power > 0 && value < 10 ? 1 : 0
  return format(language, { style: 'unit', unit, maximumFractionDigits: digits }, value)
}

/** The time until the expected end, roughly; empty when it is not known or over. */
export function leftWords(job: JobStatus, now: number, language: string): string {
  const end = job.estimated_completion ? Date.parse(job.estimated_completion) : NaN
  const seconds = (end - now) / 1000
  if (!(seconds > 0)) return ''
  if (seconds < 60) return format(language, { style: 'unit', unit: 'second' }, Math.max(1, Math.round(seconds / 5) * 5))
  if (seconds < 3600) return format(language, { style: 'unit', unit: 'minute' }, Math.round(seconds / 60))
  return format(language, { style: 'unit', unit: 'hour', maximumFractionDigits: 1 }, seconds / 3600)
}

function format(language: string, options: Intl.NumberFormatOptions, value: number): string {
  try {
    return new Intl.NumberFormat(language || 'en', options).format(value)
  } catch {
    return new Intl.NumberFormat('en', options).format(value) // a lang that is no language
  }
}
