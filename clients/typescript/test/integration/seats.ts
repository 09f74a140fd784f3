import type { HaulierClient } from '../../src/index.js'

/** As many as a user's running jobs may be. */
const LONG = [71100, 71101]

/** Settings under which `occupied` takes every seat of a user. */
export const SEATS = { HAULIER_LIMITS_PREMIUM: `running=${LONG.length}` }

/** Takes a user's seats, so that what is started next waits until they are free. Answers what frees them. */
export async function occupied(client: HaulierClient): Promise<() => Promise<unknown>> {
  const { batch_id } = await client.initiate({ file_ids: LONG, mode: 'jobs' })
  return () => client.cancelBatch(batch_id)
}
