import { StreamOver, EventStream } from './stream.js'
import { Following, type FollowOptions, type Parts } from './following.js'
import { isNews, isTerminal, parsedJob } from './job.js'
import type { Transport } from './options.js'
import type { JobStatus } from './types.js'

/** Seconds; below the 30 s after which some proxies cut idle connections. */
const LONG_POLL_S = 25
/** A long poll that is answered sooner although nothing changed does not wait. */
const NOT_WAITED_MS = 1_000

/** The job now, then after each change; ends with the terminal one. */
export async function* follow(
  parts: Parts,
  jobId: string,
  options: FollowOptions,
): AsyncGenerator<JobStatus, void, undefined> {
  const one = new OneJob(parts, jobId, options)
  let known: JobStatus | undefined
  for (;;) {
    const { transport, release } = await one.following.choose()
    try {
      for await (const job of one.by(transport, known)) {
        if (!isNews(job, known)) continue
        known = job
        yield job
        if (isTerminal(job.status)) return
      }
    } catch (error) {
      // Not while the connection is held: others may use it during the wait.
      await release()
      await one.following.failed(transport, error)
    } finally {
      await release()
    }
    if (known) await one.following.shown()
  }
}

class OneJob {
  readonly following: Following
  #etag: string | undefined
  #unwaited = 0

  constructor(
    readonly parts: Parts,
    readonly jobId: string,
    options: FollowOptions,
  ) {
    this.following = new Following(parts, parts.caller.settings.transports, options)
  }

  /** Some news by one transport; returns when it is time to choose again. */
  by(transport: Transport, known: JobStatus | undefined): AsyncGenerator<JobStatus, void, undefined> {
    if (transport === 'sse') return this.#stream(known)
    return transport === 'long-poll' ? this.#longPoll(known) : this.#poll(known)
  }

  async *#stream(known: JobStatus | undefined): AsyncGenerator<JobStatus, void, undefined> {
    const stream = new EventStream(this.parts.caller, `/v1/download/events/${encodeURIComponent(this.jobId)}`)
    let brought = false
    try {
      const lastEventId = known && String(known.version)
      for await (const event of stream.events({ lastEventId, ...this.#surroundings })) {
        if (event.type === 'end') break
        if (event.type !== 'status') continue
        const job = parsedJob(event.data)
        this.following.worked('sse')
        brought = true
        yield job
      }
    } catch (error) {
      if (!(error instanceof StreamOver)) throw error
      // Everything was told before; a plain look brings what this client may have missed.
      yield await this.parts.client.status(this.jobId, { signal: this.following.signal })
      return
    }
    await this.following.closed(stream, brought)
  }

  async *#longPoll(known: JobStatus | undefined): AsyncGenerator<JobStatus, void, undefined> {
    const { clock } = this.parts.caller.settings
    let last = known
    while (this.following.route.current() === 'long-poll') {
      const begun = clock.now()
      // The first look does not wait: it tells where the job is.
      const look = await this.#look(this.#etag ? LONG_POLL_S : undefined)
      this.following.worked('long-poll')
      const waited = clock.now() - begun >= NOT_WAITED_MS
      const news = look.job && isNews(look.job, last)
      if (look.job) yield (last = look.job)
      if (!look.etag) return this.following.setAside('long-poll')
      if (news || waited) this.#unwaited = 0
      else if (++this.#unwaited > 2) return this.following.setAside('long-poll')
      else await this.following.wait(this.following.interval(this.#unwaited, look.retryAfter))
      await this.following.shown()
    }
  }

  async *#poll(known: JobStatus | undefined): AsyncGenerator<JobStatus, void, undefined> {
    let last = known
    for (let quiet = 1; ; ) {
      const look = await this.#look(undefined)
      this.following.worked('poll')
      const news = look.job && isNews(look.job, last)
      if (look.job) yield (last = look.job)
      quiet = news ? 1 : quiet + 1
      await this.following.wait(this.following.interval(quiet, look.retryAfter))
      if (await this.following.mayDoBetter()) return
    }
  }

  async #look(wait: number | undefined) {
    const look = await this.parts.client.look(this.jobId, {
      wait,
      etag: this.#etag,
      signal: this.following.signal,
      tries: 1,
    })
    this.#etag = look.etag
    return look
  }

  get #surroundings() {
    return { signal: this.following.signal, page: this.following.page }
  }
}
