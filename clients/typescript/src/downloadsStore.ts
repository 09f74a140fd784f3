import type { PageDocument } from './browser.js'
import type { HaulierClient } from './client.js'
import { shownAs, type StoreConnection } from './downloadState.js'
import { asError } from './errors.js'
import type { Connection } from './following.js'
import { isNews, isTerminal } from './job.js'
import type { JobStatus } from './types.js'
import { Value } from './value.js'

export interface DownloadsState {
  /** Newest first. */
  jobs: readonly JobStatus[]
  /** Whether the list is complete, as far as `limit` goes. */
  ready: boolean
  error?: Error
  connection: StoreConnection
}

export interface DownloadsStoreOptions {
  /** How many jobs are listed (1 to 100; 50 when absent); jobs that live are listed beyond that. */
  limit?: number | undefined
  document?: PageDocument | null | undefined
}

const LIMIT = 50
export const NO_JOBS: DownloadsState = Object.freeze({ jobs: Object.freeze([]), ready: false, connection: 'idle' })

/** All my jobs, live while somebody listens. */
export class DownloadsStore {
  readonly #client: HaulierClient
  readonly #limit: number
  readonly #document: PageDocument | null | undefined
  readonly #state: Value<DownloadsState>
  readonly #jobs = new Map<string, JobStatus>()
  #following: AbortController | undefined

  constructor(client: HaulierClient, options: DownloadsStoreOptions = {}) {
    this.#client = client
    this.#limit = Math.min(100, Math.max(1, options.limit ?? LIMIT))
    this.#document = options.document
    this.#state = new Value(NO_JOBS, { first: () => this.#wake(), last: () => this.#sleep() })
  }

  readonly getState = (): DownloadsState => {
    return this.#state.get()
  }

  /** Calls back after each change. */
  readonly subscribe = (listener: () => void): (() => void) => {
    return this.#state.subscribe(listener)
  }

  /** Begins again, after a refused token say; while nobody listens the next listener does that. */
  readonly restart = (): void => {
    if (!this.#state.listened) return
    this.#following?.abort()
    const { error: _, ...rest } = this.getState()
    this.#state.set(rest)
    this.#wake()
  }

  /** No listener hears anything from now on. */
  dispose(): void {
    this.#state.end()
    this.#sleep()
  }

  #wake(): void {
    const following = new AbortController()
    this.#following = following
    void this.#run(following.signal)
  }

  #sleep(): void {
    this.#following?.abort()
    this.#following = undefined
    this.#state.set({ ...this.getState(), connection: 'idle' })
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const onTransport = (connection: Connection) => {
        if (!signal.aborted) this.#state.set({ ...this.getState(), connection: shownAs(connection) })
      }
      const onGone = (jobId: string) => {
        if (!signal.aborted && this.#jobs.delete(jobId) && this.getState().ready) this.#show()
      }
      let listed: StoreConnection | undefined
      const options = { signal, document: this.#document, onTransport, onGone, known: [...this.#jobs.values()] }
      for await (const message of this.#client.followAll(options)) {
        if (signal.aborted) return
        if ('type' in message) listed = await this.#ready(signal, listed)
        else if (this.#take(message) && this.getState().ready) this.#show()
      }
    } catch (error) {
      if (!signal.aborted) this.#state.set({ ...this.getState(), connection: 'idle', error: asError(error) })
    }
  }

  /**
   * What was over before the stream began is not in it, so the list is read; one that failed with the next `ready`.
   * Answers how news came when it was read last.
   */
  async #ready(signal: AbortSignal, listed: StoreConnection | undefined): Promise<StoreConnection | undefined> {
    const { connection } = this.getState()
    // Polling reads the list itself; but what was over before its first look it does not tell.
    if (listed === 'polling' && connection === 'polling') return listed
    try {
      const page = await this.#client.jobs({ limit: this.#limit, signal })
      // The list says less than the stream, no place in the queue: of equal versions the known one stays.
      for (const job of page.jobs) if (job.version !== this.#jobs.get(job.job_id)?.version) this.#take(job)
    } catch (error) {
      if (!signal.aborted) this.#state.set({ ...this.getState(), error: asError(error) })
      return listed
    }
    this.#show()
    return connection
  }

  #take(job: JobStatus): boolean {
    if (!isNews(job, this.#jobs.get(job.job_id))) return false
    this.#jobs.set(job.job_id, job)
    return true
  }

  #show(): void {
    const jobs = [...this.#jobs.values()].sort(newestFirst)
    const shown = jobs.filter((job, place) => place < this.#limit || !isTerminal(job.status))
    for (const job of jobs) if (!shown.includes(job)) this.#jobs.delete(job.job_id)
    this.#state.set({ jobs: shown, ready: true, connection: this.getState().connection })
  }
}

function newestFirst(one: JobStatus, other: JobStatus): number {
  const [first, second] = [`${one.created_at}${one.job_id}`, `${other.created_at}${other.job_id}`]
  return first < second ? 1 : first > second ? -1 : 0
}
