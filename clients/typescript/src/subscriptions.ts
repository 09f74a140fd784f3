import type { HaulierError } from './errors.js'
import type { Ready } from './followAll.js'
import type { JobStatus } from './types.js'

export type JobListener = (job: JobStatus) => void
export type AllListener = (message: JobStatus | Ready) => void
/** Why a job cannot be listened to, for instance `job_not_found`. */
export type SocketErrorListener = (error: HaulierError) => void

interface Entry {
  listener: JobListener
  onError: SocketErrorListener | undefined
}

/** Who listens to what on a socket. */
export class Subscriptions {
  readonly #jobs = new Map<string, Set<Entry>>()
  readonly #all = new Set<{ listener: AllListener }>()

  get all(): boolean {
    return this.#all.size > 0
  }

  jobs(): string[] {
    return [...this.#jobs.keys()]
  }

  /** Whether anybody still needs to know a job's version. */
  wants(jobId: string): boolean {
    return this.#jobs.has(jobId)
  }

  has(jobId: string, listener: JobListener): boolean {
    return [...(this.#jobs.get(jobId) ?? [])].some((entry) => entry.listener === listener)
  }

  /** `first`: nobody listened to the job before. `remove` answers whether nobody does any more. */
  add(jobId: string, listener: JobListener, onError?: SocketErrorListener): { first: boolean; remove: () => boolean } {
    const entries = this.#jobs.get(jobId) ?? new Set<Entry>()
    const first = entries.size === 0
    const entry = { listener, onError }
    entries.add(entry)
    this.#jobs.set(jobId, entries)
    const remove = () => {
      // Another set: the server refused the job meanwhile, and others asked again.
      if (!entries.delete(entry) || entries.size > 0 || this.#jobs.get(jobId) !== entries) return false
      return this.#jobs.delete(jobId)
    }
    return { first, remove }
  }

  /** As `add`. `tell` tells this listener alone, as long as it listens. */
  addAll(listener: AllListener): { first: boolean; tell: AllListener; remove: () => boolean } {
    const first = this.#all.size === 0
    const entry = { listener }
    this.#all.add(entry)
    const tell: AllListener = (message) => this.#all.has(entry) && listener(message)
    return { first, tell, remove: () => this.#all.delete(entry) && this.#all.size === 0 }
  }

  tell(job: JobStatus): void {
    for (const entry of [...(this.#jobs.get(job.job_id) ?? [])]) entry.listener(job)
  }

  tellAll(message: JobStatus | Ready): void {
    for (const entry of [...this.#all]) entry.listener(message)
  }

  /** The server does not tell this job: its listeners are let go. */
  refuse(jobId: string, error: HaulierError): void {
    const entries = [...(this.#jobs.get(jobId) ?? [])]
    this.#jobs.delete(jobId)
    for (const entry of entries) entry.onError?.(error)
  }

  clear(): void {
    this.#jobs.clear()
    this.#all.clear()
  }
}
