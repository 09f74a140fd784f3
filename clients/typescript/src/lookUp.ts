import type { HaulierClient } from './client.js'
import { isCode } from './errors.js'
import type { JobStatus } from './types.js'

/** So that the page's own calls always find a connection. */
const AT_ONCE = 4
/** From so many on those that wait or run are listed first, a hundred at a time. */
const MANY = 20

/** A job as it is now; undefined when it is not there any more. */
export interface Found {
  jobId: string
  job: JobStatus | undefined
}

/** Looks jobs up one by one, a few at once. Raises what `status` raises, but for a job that is not there. */
export async function* lookUp(
  client: HaulierClient,
  jobIds: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Found, void, undefined> {
  const left = jobIds.length < MANY ? jobIds : await withoutLiving(client, jobIds, signal)
  for (let first = 0; first < left.length; first += AT_ONCE) {
    const some = left.slice(first, first + AT_ONCE)
    yield* await Promise.all(some.map((jobId) => found(client, jobId, signal)))
  }
}

/** Those that are over, or gone: a server tells a new connection of so many that live, and no more. */
async function withoutLiving(
  client: HaulierClient,
  jobIds: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const left = new Set(jobIds)
  // In this order, so that none slips from the one list into the other unseen.
  for (const status of ['queued', 'processing'] as const) {
    let cursor: string | undefined
    do {
      const page = await client.jobs({ status, limit: 100, cursor, signal })
      for (const job of page.jobs) left.delete(job.job_id)
      cursor = page.next_cursor ?? undefined
    } while (cursor)
  }
  return [...left]
}

async function found(client: HaulierClient, jobId: string, signal: AbortSignal | undefined): Promise<Found> {
  try {
    return { jobId, job: await client.status(jobId, { signal }) }
  } catch (error) {
    if (!isCode(error, 'job_not_found')) throw error
    return { jobId, job: undefined }
  }
}
