import { german } from '@haulier/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answer, EVENTS, FakeStream, JOB, job, problem, STATUS } from '../../typescript/test/fakes.js'
import { DownloadButton, type Download } from '../src/index.js'
import { Page } from './page.js'

const INITIATE = 'POST /v1/download/initiate'
const RESULT = `GET /v1/download/result/${JOB}`
const RETRY = `POST /v1/download/retry/${JOB}`
const DONE = job({ version: 9, status: 'completed', progress: 100, file_name: 'annas.pdf', download_url: 'http://annas' })

let page: Page
let stream: FakeStream

beforeEach(() => {
  page = new Page({ user: 'anna' })
  stream = new FakeStream()
  page.server.on(INITIATE, () => answer(job())).on(EVENTS, stream.handler)
})
afterEach(() => page.leave())

async function completed(): Promise<void> {
  await page.show(<DownloadButton fileId={70000} />)
  await page.click('trigger')
  await page.does(() => stream.tell(DONE))
}

test('another user of the page, with a client of their own, sees nothing of the one before', async () => {
  await completed()
  expect(page.element.innerHTML).toContain('annas')
  const asked = page.server.asked.length
  page.client = page.clientOf({ user: 'bert' })
  await page.show(<DownloadButton fileId={70000} />)
  expect(page.element.innerHTML).not.toContain('annas')
  expect([page.text('trigger'), page.text('announcement')]).toEqual(['Download', ''])
  expect(page.server.asked).toHaveLength(asked)
})

test('another user of the page is not led to the file that the one before asked for', async () => {
  let release: (response: Response) => void = () => undefined
  page.server.on(RESULT, () => new Promise((resolve) => (release = resolve)))
  await completed()
  await page.click('link')
  page.client = page.clientOf({ user: 'bert' })
  await page.show(<DownloadButton fileId={70000} />)
  await page.does(() => release(answer({ job_id: JOB, download_url: 'http://annas' })))
  expect(page.opened).toEqual([])
})

test('two quick clicks go to the file once', async () => {
  page.server.on(RESULT, () => answer({ job_id: JOB, download_url: 'http://fresh' }))
  await completed()
  await page.does(() => {
    page.part('link').click()
    page.part('link').click()
  })
  expect(page.opened).toEqual(['http://fresh'])
  await page.click('link')
  expect(page.opened).toHaveLength(2)
})

test('another file in the same place is no news', async () => {
  const other = job({ job_id: 'b', file_id: 70001 })
  const second = new FakeStream()
  page.server.on(INITIATE, () => answer(other)).on('GET /v1/download/events/b', second.handler)
  await page.show(<DownloadButton fileId={70001} />)
  await page.click('trigger')
  page.server.on(INITIATE, () => answer(job()))
  await completed()
  expect(page.text('announcement')).toBe('The file is ready.')
  page.client = page.clientOf({ user: 'anna' })
  await page.show(<DownloadButton fileId={70001} />)
  await page.does(() => second.tell({ ...other, status: 'completed', version: 5 }))
  expect([page.has('link'), page.text('announcement')]).toEqual([true, ''])
})

test('a refused following says why, and a click takes it up again', async () => {
  page.server.onEach(EVENTS, () => problem(401, 'unauthenticated'), stream.handler)
  await page.show(<DownloadButton fileId={70000} />)
  await page.click('trigger')
  expect([page.text('status'), page.text('trigger')]).toEqual(['Your sign-in is not valid, or has ended. Please sign in again.', 'Try again'])
  expect(page.part('trigger').getAttribute('aria-disabled')).toBeNull()
  await page.click('trigger')
  await page.does(() => stream.tell(job({ version: 2, status: 'processing', progress: 40 })))
  expect([page.text('status'), page.text('trigger')]).toEqual(['40 %', 'Preparing…'])
  expect(page.server.calls(INITIATE)).toHaveLength(1)
})

test('a job that was named and is not known has no button that could only say so again', async () => {
  page.server.on(EVENTS, () => problem(404, 'job_not_found'))
  await page.show(<DownloadButton jobId={JOB} />)
  expect([page.has('trigger'), page.text('status')]).toEqual([false, 'This download does not exist, or it is not yours.'])
})

test('a request that is wrong has no button any more, and visitors read no pointers', async () => {
  page.server.on(INITIATE, () => problem(400, 'invalid_request'))
  await page.show(<DownloadButton fileId={5} />)
  await page.does(() => page.part('trigger').focus())
  await page.click('trigger')
  expect([page.has('trigger'), page.text('status')]).toEqual([false, 'This cannot be asked for.'])
  expect(document.activeElement).toBe(page.part('root'))
})

test('a job that was named and could not be looked up can be looked up again', async () => {
  page.server.onEach(EVENTS, () => problem(401, 'unauthenticated'), stream.handler).on(STATUS, () => answer(job()))
  await page.show(<DownloadButton jobId={JOB} />)
  expect(page.text('trigger')).toBe('Try again')
  await page.click('trigger')
  expect(page.text('trigger')).toBe('Preparing…')
})

test('a job that was named by its id and cancelled is retried', async () => {
  page.server.on(RETRY, () => answer(job({ job_id: 'b', retry_of: JOB })))
  page.server.on('GET /v1/download/events/b', new FakeStream().handler)
  await page.show(<DownloadButton jobId={JOB} />)
  await page.does(() => stream.tell(job({ version: 4, status: 'cancelled' })))
  await page.click('trigger')
  expect([page.server.calls(RETRY).length, page.text('status')]).toEqual([1, 'Waiting'])
})

test('German buttons give German reasons, with the server’s own as a title', async () => {
  const error = { code: 'source_missing', message: 'What the file is made from does not exist: x.' }
  await page.show(<DownloadButton fileId={70000} messages={german} />)
  await page.click('trigger')
  await page.does(() => stream.tell(job({ version: 4, status: 'failed', error })))
  expect(page.text('status')).toBe('Die Quelle der Datei gibt es nicht mehr.')
  const title = page.part('status').querySelector('[title]')
  expect([title?.getAttribute('title'), title?.getAttribute('lang')]).toEqual([error.message, 'en'])
  expect(title?.firstElementChild?.getAttribute('lang')).toBe('de')
})

test('a reloaded page never offers what is there already', async () => {
  await page.show(<DownloadButton fileId={70000} />)
  await page.click('trigger')
  page.client = page.clientOf({ user: 'anna' })
  const phases = new Set<string>()
  const shown = (download: Download) => {
    phases.add(download.phase)
    return null
  }
  await page.show(<DownloadButton fileId={70000}>{shown}</DownloadButton>)
  expect([...phases]).toEqual(['starting'])
})
