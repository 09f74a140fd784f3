import type { Params } from './types.js'

/** A file, whose job is started here and remembered; or a job that is there already. */
export type DownloadKey = { fileId: number; params?: Params | undefined } | { jobId: string }

/** Equal for equal downloads, in whichever order the params were written. */
export function nameOf(key: DownloadKey): string {
  if ('jobId' in key) return `job ${key.jobId}`
  return `file ${key.fileId} ${JSON.stringify(key.params ?? {}, inOrder)}`
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
