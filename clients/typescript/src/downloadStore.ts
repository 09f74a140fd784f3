import type { PageDocument, TabChannel, TextStorage } from './browser.js'
import type { HaulierClient } from './client.js'
import { nameOf, type DownloadKey } from './downloadKey.js'
import { failureOf, IDLE, isStuck, LOOKING, shownAs, type DownloadState } from './downloadState.js'
import { asError, HaulierError, isCode, NetworkError } from './errors.js'
import type { Connection } from './following.js'
import { isTerminal } from './job.js'
import { hashOf, Memory, storageOf } from './memory.js'
import { Tabs } from './tabs.js'
import type { JobStatus } from './types.js'
import { Value } from './value.js'

export interface DownloadStoreOptions {
  /** Where the job's id outlives the page: localStorage when absent, nowhere when null. */
  storage?: TextStorage | null | undefined
  /** How tabs hear of each other: a channel of its own when absent, not at all when null. */
  channel?: TabChannel | null | undefined
  document?: PageDocument | null | undefined
}

/** What a store asks of a client; another way of following can stand in. */
export type DownloadClient = Pick<
  HaulierClient,
  'baseUrl' | 'user' | 'clock' | 'initiate' | 'status' | 'cancel' | 'retry' | 'follow'
>

type Ask = (idempotencyKey: string) => Promise<JobStatus>

/**
 * One download as a page shows it. It makes requests while somebody listens (`subscribe`), and for `start`, `cancel` and
 * `retry`; these never reject: what went wrong is in the state. All methods may be passed on by themselves.
 */
export class DownloadStore {
  readonly #client: DownloadClient
  readonly #key: DownloadKey
  readonly #document: PageDocument | null | undefined
  readonly #memory: Memory
  readonly #tabs: Tabs
  readonly #state: Value<DownloadState>
  #jobId: string | undefined
  #starting: Promise<void> | undefined
  #following: AbortController | undefined

  constructor(client: DownloadClient, key: DownloadKey, options: DownloadStoreOptions = {}) {
    this.#client = client
    this.#key = key
    this.#document = options.document
    const named = 'jobId' in key
    const hash = named ? key.jobId : hashOf(client.baseUrl, client.user, nameOf(key))
    this.#memory = new Memory(named ? null : storageOf(options.storage), hash, client.clock)
    if (named) this.#memory.remember(key.jobId)
    this.#tabs = new Tabs(options.channel, hash, (jobId) => this.#heard(jobId))
    const hooks = { first: () => this.#wake(), last: () => this.#sleep() }
    this.#state = new Value(this.#memory.job() ? LOOKING : IDLE, hooks)
  }

  readonly getState = (): DownloadState => {
    return this.#state.get()
  }

  /** Calls back after each change. The first listener takes up the job of an earlier visit. */
  readonly subscribe = (listener: () => void): (() => void) => {
    return this.#state.subscribe(listener)
  }

  /**
   * Asks for the file, unless that is under way here or in another tab; a living job that the user started elsewhere is
   * joined, and one that is not followed any more is followed again. One that was named by its id, and is over without a
   * file, is retried. Resolves when the server answered.
   */
  readonly start = (): Promise<void> => {
    const { phase } = this.getState()
    if (isStuck(this.getState())) this.#resume()
    const isUnderWay = phase === 'queued' || phase === 'processing' || (phase === 'starting' && this.#following)
    if (isUnderWay && !this.#starting) return Promise.resolve()
    const key = this.#key
    if ('jobId' in key) {
      if (phase === 'failed' || phase === 'cancelled') return this.retry()
      return this.#begin('look', () => this.#client.status(key.jobId))
    }
    const request = { file_id: key.fileId, ...(key.params ? { params: key.params } : {}) }
    const join = phase !== 'completed' // who has a file and asks again is not content with it
    return this.#begin(
      'start',
      async (idempotencyKey) => (await this.#remembered()) ?? this.#client.initiate(request, { idempotencyKey, join }),
    )
  }

  /** Cancels the job, also one whose start is under way. */
  readonly cancel = async (): Promise<void> => {
    await this.#starting
    const { job } = this.getState()
    const jobId = job?.job_id ?? this.#jobId
    if (!jobId || (job && isTerminal(job.status)) || this.#state.ended) return
    // A late answer is none to the job that another start has put in this one's place.
    const isPast = () => this.#starting !== undefined || this.#jobId !== jobId
    try {
      await this.#client.cancel(jobId)
      if (isPast()) return
      if (job) this.#show({ ...job, status: 'cancelled' })
    } catch (error) {
      if (isPast()) return
      if (isCode(error, 'job_not_found')) return this.#lose(jobId)
      // It ended in another way just before; following tells which.
      if (!isCode(error, 'job_finished')) return this.#change({ error: asError(error) })
    }
    this.#tabs.tell(jobId)
    this.#adopt(jobId)
  }

  /** A new job for one that failed or was cancelled. */
  readonly retry = (): Promise<void> => {
    const { job, phase } = this.getState()
    if (!job || (phase !== 'failed' && phase !== 'cancelled')) return this.#starting ?? Promise.resolve()
    return this.#begin(job.job_id, (idempotencyKey) => this.#client.retry(job.job_id, { idempotencyKey, join: true }))
  }

  /** No listener hears anything from now on. The job goes on. */
  dispose(): void {
    this.#state.end()
    this.#sleep()
  }

  /** `what` tells starts and retries apart: each has its own key while its outcome is not known. */
  #begin(what: string, ask: Ask): Promise<void> {
    if (this.#state.ended) return Promise.resolve()
    this.#starting ??= this.#ask(what, ask).finally(() => (this.#starting = undefined))
    return this.#starting
  }

  async #ask(what: string, ask: Ask): Promise<void> {
    const before = this.getState()
    this.#following?.abort()
    this.#state.set({ phase: 'starting', connection: 'idle', ...(before.job ? { job: before.job } : {}) })
    try {
      const job = await ask(await this.#memory.startKey(what))
      this.#memory.remember(job.job_id)
      this.#tabs.tell(job.job_id)
      this.#jobId = job.job_id
      this.#show(job)
      this.#follow(job.job_id)
    } catch (error) {
      // After no answer the server may have acted: the next start then says that it is the same one.
      const unknown = error instanceof NetworkError || (error instanceof HaulierError && error.status >= 500)
      if (!unknown) this.#memory.settle()
      if (before.job && isCode(error, 'job_not_found')) return this.#lose(before.job.job_id, error)
      const phase = before.phase === 'starting' ? 'idle' : before.phase
      this.#state.set({ ...before, phase, connection: 'idle', error: asError(error) })
    }
  }

  #wake(): void {
    this.#tabs.open()
    const jobId = this.#memory.job() ?? this.#jobId
    const { job } = this.getState()
    if (!jobId && this.getState() === LOOKING) return this.#state.set(IDLE)
    if (!jobId || this.#starting || (job?.job_id === jobId && isTerminal(job.status))) return
    this.#adopt(jobId)
  }

  #sleep(): void {
    this.#tabs.close()
    this.#following?.abort()
    this.#following = undefined
    if (this.getState().connection !== 'idle') this.#change({ connection: 'idle' })
  }

  /** Another tab says that the job is this one now, or that it changed. */
  #heard(jobId: string): void {
    if (!this.#starting) this.#adopt(jobId)
  }

  /** The job that another tab or an earlier visit started, when it is still good; asked before one is made. */
  async #remembered(): Promise<JobStatus | undefined> {
    const jobId = this.#memory.job()
    if (!jobId || jobId === this.getState().job?.job_id) return undefined
    try {
      const job = await this.#client.status(jobId)
      return job.status === 'failed' || job.status === 'cancelled' || this.#isOver(job) ? undefined : job
    } catch (error) {
      if (!isCode(error, 'job_not_found')) throw error
      this.#memory.forget(jobId)
      return undefined
    }
  }

  /** Shows `jobId` from now on. */
  #adopt(jobId: string): void {
    const { job, connection } = this.getState()
    this.#jobId = jobId
    if (job?.job_id !== jobId) this.#state.set({ phase: 'starting', connection })
    this.#follow(jobId)
  }

  /** Follows again after that was refused. */
  #resume(): void {
    const { error: _, ...rest } = this.getState()
    this.#state.set(rest)
    if (this.#jobId) this.#follow(this.#jobId)
  }

  #follow(jobId: string): void {
    this.#following?.abort()
    if (!this.#state.listened || this.#state.ended) return
    const following = new AbortController()
    this.#following = following
    void this.#run(jobId, following.signal)
  }

  async #run(jobId: string, signal: AbortSignal): Promise<void> {
    const onTransport = (connection: Connection) => {
      if (!signal.aborted) this.#change({ connection: shownAs(connection) })
    }
    try {
      for await (const job of this.#client.follow(jobId, { signal, onTransport, document: this.#document })) {
        if (signal.aborted) return
        if (this.#isOver(job)) return this.#lose(jobId)
        this.#show(job)
      }
    } catch (error) {
      if (signal.aborted) return
      if (isCode(error, 'job_not_found')) return this.#lose(jobId, error)
      const { phase } = this.getState()
      this.#change({ connection: 'idle', error: asError(error), ...(phase === 'starting' ? { phase: 'idle' } : {}) })
    }
  }

  /** A job of an earlier visit whose file is gone is no use: the button offers to start again. */
  #isOver(job: JobStatus): boolean {
    if ('jobId' in this.#key || job.status !== 'completed' || !job.expires_at) return false
    return Date.parse(job.expires_at) <= this.#client.clock.now()
  }

  /** The job is not known any more, or is another user's. */
  #lose(jobId: string, error?: unknown): void {
    this.#memory.forget(jobId)
    this.#jobId = undefined
    this.#following?.abort()
    this.#state.set('jobId' in this.#key && error ? { ...IDLE, error: asError(error) } : IDLE)
  }

  #show(job: JobStatus): void {
    const { job: known, connection } = this.getState()
    const isSame = known?.job_id === job.job_id
    if (isSame && (job.version < known.version || (isTerminal(known.status) && !isTerminal(job.status)))) return
    const failure = job.status === 'failed' && job.error ? { error: failureOf(job.error) } : {}
    this.#state.set({
      phase: job.status,
      job,
      connection: isTerminal(job.status) ? 'idle' : connection,
      ...failure,
    })
  }

  #change(change: Partial<DownloadState>): void {
    this.#state.set({ ...this.getState(), ...change })
  }
}
