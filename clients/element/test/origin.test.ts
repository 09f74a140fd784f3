import { HaulierClient } from '@haulier/client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import '../src/index.js'
import type { HaulierDownload } from '../src/index.js'
import { answers, cleaned, EVENTS, fresh, job, JOB, put, requests, stream } from './page.js'

beforeEach(fresh)
afterEach(() => {
  cleaned()
  vi.restoreAllMocks()
})

function refused(): never {
  throw new TypeError('Failed to fetch')
}

async function tried(element: HaulierDownload, count: number): Promise<void> {
  element.token = 'secret'
  await vi.waitFor(() => expect(requests.length).toBeGreaterThanOrEqual(count), 5_000)
}

// First: what is told once is told no more afterwards.
it('an outage after an answer is not taken for a forbidden origin', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const client = new HaulierClient({ baseUrl: 'https://api.example', token: 't' })
  answers.set(EVENTS, () => stream(job({ version: 2 })))
  for await (const _ of client.follow(JOB)) break
  answers.set(`GET /v1/download/status/${JOB}`, refused)
  await expect(client.look(JOB, { tries: 1 })).rejects.toMatchObject({ code: 'network_error' })
  expect(warn).not.toHaveBeenCalled()
})

it('a page of an origin that may not be allowed is told so on the console, once', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  answers.set(EVENTS, refused)
  await tried(put({ 'job-id': JOB, 'base-url': location.origin }), 1)
  await tried(put({ 'job-id': JOB }), 2)
  await tried(put({ 'job-id': JOB }), 4)
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/^Haulier: no answer from https:\/\/api\.example\. .+ HAULIER_ALLOWED_ORIGINS has to name http:\/\/localhost:3000\.$/)]])
})
