import type { HaulierClient } from './client.js'
import { isCode } from './errors.js'
import type { JobStatus } from './types.js'

/** So that the page's own calls always find a connection. */
const AT_ONCE = 4

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
  for (let first = 0; first < jobIds.length; first += AT_ONCE) {
    const some = jobIds.slice(first, first + AT_ONCE)
    yield* await Promise.all(some.map((jobId) => found(client, jobId, signal)))
  }
}

async function found(client: HaulierClient, jobId: string, signal: AbortSignal | undefined): Promise<Found> {
  try {
    return { jobId, job: await client.status(jobId, { signal }) }
  } catch (error) {
    if (!isCode(error, 'job_not_found')) throw error
    return { jobId, job: undefined }
  }
}
