import { useState, type SetStateAction } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answer, EVENTS, FakeStream, JOB, job, problem } from '../../typescript/test/fakes.js'
import { DownloadButton } from '../src/index.js'
import { Page } from './page.js'

/** React says nothing of a state that is set after an unmount, since 18: so each set is noted. */
const sets = vi.hoisted(() => [] as unknown[])
vi.mock('react', async (original) => {
  const react = await original<typeof import('react')>()
  const noting: typeof useState = (...given: [unknown?]) => {
    const [state, set] = react.useState(...given)
    const noted = (next: SetStateAction<unknown>) => {
      sets.push(next)
      set(next)
    }
    return [state, noted]
  }
  return { ...react, useState: noting }
})

const RESULT = `GET /v1/download/result/${JOB}`

let page: Page
let release: (response: Response) => void

beforeEach(async () => {
  page = new Page()
  const stream = new FakeStream()
  page.server.on(EVENTS, stream.handler).on(RESULT, () => new Promise((resolve) => (release = resolve)))
  await page.show(<DownloadButton jobId={JOB} />)
  await page.does(() => stream.tell(job({ version: 9, status: 'completed' })))
  await page.click('link')
})
afterEach(() => page.leave())

const GIVEN = () => answer({ job_id: JOB, download_url: 'http://fresh' })
const REFUSED = () => problem(410, 'artefact_expired')

test.each([['a URL', GIVEN], ['a refusal', REFUSED]])('%s that comes after the unmount sets no state', async (_, response) => {
  await page.show(null)
  sets.length = 0
  await page.does(() => release(response()))
  expect(sets).toEqual([])
})

test.each([['a URL', GIVEN], ['a refusal', REFUSED]])('%s that comes before sets one', async (_, response) => {
  sets.length = 0
  await page.does(() => release(response()))
  expect(sets.length).toBeGreaterThan(0)
})
