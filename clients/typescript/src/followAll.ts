import { EventStream, StreamOver } from './stream.js'
import { Following, type FollowOptions, type Parts } from './following.js'
import { isNews, isTerminal, parsedJob } from './job.js'
import { lookUp } from './lookUp.js'
import type { JobStatus } from './types.js'

/** The jobs that live were all told. */
export interface Ready {
  type: 'ready'
}

export interface FollowAllOptions extends FollowOptions {
  /** What was told before: these are told when they changed, and those that live are looked up when nothing tells them. */
  known?: Iterable<JobStatus> | undefined
  /** Called for a job that was told as living and is not there any more. */
  onGone?: ((jobId: string) => void) | undefined
}

export const READY: Ready = { type: 'ready' }
const LOOKED_AT = 100
/** Versions of jobs that are over are kept to drop what comes late, up to so many. */
const REMEMBERED = 5_000

/** All my jobs: those that live, `ready`, then every change of any. Never ends by itself. */
export async function* followAll(
  parts: Parts,
  options: FollowAllOptions,
): AsyncGenerator<JobStatus | Ready, void, undefined> {
  const all = new AllJobs(parts, options)
  for (;;) {
    const { transport, release } = await all.following.choose()
    try {
      yield* transport === 'sse' ? all.stream() : all.poll()
    } catch (error) {
      await release()
      await all.following.failed(transport, error)
    } finally {
      await release()
    }
    await all.following.shown()
  }
}

class AllJobs {
  readonly following: Following
  readonly #known = new Map<string, JobStatus>()
  readonly #onGone: (jobId: string) => void
  #cursor: string | undefined
  #listed = false

  constructor(
    readonly parts: Parts,
    options: FollowAllOptions,
  ) {
    // The list of jobs knows no waiting, so there is no long poll.
    const allowed = parts.caller.settings.transports.filter((transport) => transport !== 'long-poll')
    this.following = new Following(parts, allowed.length ? allowed : ['poll'], options)
    for (const job of options.known ?? []) this.#known.set(job.job_id, job)
    this.#onGone = options.onGone ?? (() => undefined)
  }

  async *stream(): AsyncGenerator<JobStatus | Ready, void, undefined> {
    const stream = new EventStream(this.parts.caller, '/v1/download/events')
    let brought = false
    const untold = new Set(this.#living())
    const { signal, page } = this.following
    try {
      for await (const event of stream.events({ lastEventId: this.#cursor, signal, page })) {
        if (event.id) this.#cursor = event.id
        if (event.type === 'end') break
        if (event.type !== 'status' && event.type !== 'ready') continue
        this.following.worked('sse')
        brought = true
        if (event.type === 'ready') {
          yield READY
          // The server tells no more than some hundred of the jobs that ended since the cursor.
          yield* this.#lookUp([...untold])
          untold.clear()
        } else {
          const job = parsedJob(event.data)
          untold.delete(job.job_id)
          yield* this.#news(job)
        }
      }
    } catch (error) {
      if (!(error instanceof StreamOver)) throw error
    }
    await this.following.closed(stream, brought)
  }

  async *poll(): AsyncGenerator<JobStatus | Ready, void, undefined> {
    const { client } = this.parts
    const { signal } = this.following
    for (let quiet = 1; ; ) {
      const page = await client.jobs({ limit: LOOKED_AT, signal })
      this.following.worked('poll')
      const listed = new Set(page.jobs.map((job) => job.job_id))
      const living = this.#living().filter((jobId) => !listed.has(jobId))
      let news = false
      // Oldest first, as they would have come.
      for (const job of [...page.jobs].reverse()) {
        const wasKnown = this.#known.has(job.job_id)
        for (const told of this.#news(job)) {
          news = true
          // What was over before is not news, unless it was told as living.
          if (this.#listed || wasKnown || !isTerminal(told.status)) yield told
        }
      }
      yield* this.#lookUp(living)
      this.#listed = true
      yield READY
      quiet = news ? 1 : quiet + 1
      await this.following.wait(this.following.interval(quiet, undefined))
      if (await this.following.mayDoBetter()) return
    }
  }

  #living(): string[] {
    return [...this.#known.values()].filter((job) => !isTerminal(job.status)).map((job) => job.job_id)
  }

  async *#lookUp(jobIds: readonly string[]): AsyncGenerator<JobStatus, void, undefined> {
    for await (const { jobId, job } of lookUp(this.parts.client, jobIds, this.following.signal)) {
      if (job) yield* this.#news(job)
      else if (this.#known.delete(jobId)) this.#onGone(jobId)
    }
  }

  *#news(job: JobStatus): Generator<JobStatus> {
    if (!isNews(job, this.#known.get(job.job_id))) return
    this.#known.delete(job.job_id)
    this.#known.set(job.job_id, job)
    this.#forget()
    yield job
  }

  #forget(): void {
    for (const [id, job] of this.#known) {
      if (this.#known.size <= REMEMBERED) return
      if (isTerminal(job.status)) this.#known.delete(id)
    }
  }
}
