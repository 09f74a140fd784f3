import { EventStream, StreamOver } from './stream.js'
import { Following, type FollowOptions, type Parts } from './following.js'
import { isNews, isTerminal, parsedJob } from './job.js'
import type { JobStatus } from './types.js'

/** The jobs that live were all told. */
export interface Ready {
  type: 'ready'
}

export type FollowAllOptions = FollowOptions

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
  #cursor: string | undefined
  #listed = false

  constructor(
    readonly parts: Parts,
    options: FollowAllOptions,
  ) {
    // The list of jobs knows no waiting, so there is no long poll.
    const allowed = parts.caller.settings.transports.filter((transport) => transport !== 'long-poll')
    this.following = new Following(parts, allowed.length ? allowed : ['poll'], options)
  }

  async *stream(): AsyncGenerator<JobStatus | Ready, void, undefined> {
    const stream = new EventStream(this.parts.caller, '/v1/download/events')
    let brought = false
    const { signal, page } = this.following
    try {
      for await (const event of stream.events({ lastEventId: this.#cursor, signal, page })) {
        if (event.id) this.#cursor = event.id
        if (event.type === 'end') break
        if (event.type !== 'status' && event.type !== 'ready') continue
        this.following.worked('sse')
        brought = true
        if (event.type === 'ready') yield READY
        else yield* this.#news(parsedJob(event.data))
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
      const living = [...this.#known.values()].filter((job) => !isTerminal(job.status) && !listed.has(job.job_id))
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
      for (const job of living) yield* this.#news(await client.status(job.job_id, { signal }))
      this.#listed = true
      yield READY
      quiet = news ? 1 : quiet + 1
      await this.following.wait(this.following.interval(quiet, undefined))
      if (await this.following.mayDoBetter()) return
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
