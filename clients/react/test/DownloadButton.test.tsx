import { act, version } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answer, EVENTS, FakeStream, JOB, job, problem } from '../../typescript/test/fakes.js'
import { DownloadButton, german } from '../src/index.js'
import { Page } from './page.js'

const INITIATE = 'POST /v1/download/initiate'
const CANCEL = `DELETE /v1/download/cancel/${JOB}`
const RESULT = `GET /v1/download/result/${JOB}`
const DONE = job({ version: 9, status: 'completed', progress: 100, file_name: 'a.zip', file_size: 2_500_000, download_url: 'http://old' })
const FAILED = job({ version: 9, status: 'failed', error: { code: 'source_missing', message: 'There is no such source.' } })

let page: Page
let stream: FakeStream

beforeEach(() => {
  page = new Page()
  stream = new FakeStream()
  page.server.on(INITIATE, () => answer(job({ queue_position: 3 }))).on(EVENTS, stream.handler)
})
afterEach(() => page.leave())

async function started(): Promise<void> {
  await page.show(<DownloadButton fileId={70000} label="Photos" />)
  page.part('trigger').focus()
  await page.click('trigger')
}

test('this is the React that the project is named for', (context) => {
  expect(version.split('.')[0]).toBe(context.task.file.projectName?.split(' ')[1])
})

test('a button asks once for its file, though it is mounted twice and clicked twice', async () => {
  await started()
  await page.click('trigger')
  expect(page.server.calls(INITIATE)).toHaveLength(1)
  expect(page.server.calls(EVENTS)).toHaveLength(1)
  expect(page.text('status')).toBe('Waiting, number 3 in the queue')
  expect(page.part('trigger').getAttribute('aria-disabled')).toBe('true')
})

test('progress is a progress bar, and what is announced has no numbers', async () => {
  await started()
  await page.does(() => stream.tell(job({ version: 2, status: 'processing', progress: 40 })))
  const bar = page.part('progress')
  expect([bar.getAttribute('role'), bar.getAttribute('aria-valuenow'), bar.getAttribute('aria-valuetext')]).toEqual([
    'progressbar',
    '40',
    '40 %',
  ])
  const heard = page.text('announcement')
  await page.does(() => stream.tell(job({ version: 3, status: 'processing', progress: 41 })))
  expect(page.part('progress').getAttribute('aria-valuenow')).toBe('41')
  expect([heard, page.text('announcement')]).toEqual(Array(2).fill('The file is being prepared.'))
})

test('an estimate counts down in words', async () => {
  await started()
  const estimated_completion = new Date(page.clock.now() + 41_000).toISOString()
  await page.does(() => stream.tell(job({ version: 2, status: 'processing', progress: 40, estimated_completion })))
  expect(page.text('status')).toBe('40 %, about 40 seconds left')
})

test('the link asks for a fresh URL at the click and has the focus that the button had', async () => {
  page.server.on(RESULT, () => answer({ job_id: JOB, download_url: 'http://fresh' }))
  await started()
  await page.does(() => stream.tell(DONE))
  expect(page.text('status')).toBe('Ready · a.zip · 2.5 MB')
  expect(document.activeElement).toBe(page.part('link'))
  expect(page.part('link').getAttribute('href')).toBe('http://old')
  await page.click('link')
  expect(page.opened).toEqual(['http://fresh'])
})

test('a file that is gone can be asked for again', async () => {
  page.server.on(RESULT, () => problem(410, 'artefact_expired'))
  await started()
  await page.does(() => stream.tell(DONE))
  await page.click('link')
  expect(page.has('link')).toBe(false)
  expect(page.text('status')).toBe('The file has expired.')
  expect(document.activeElement).toBe(page.part('retry'))
  await page.click('retry')
  expect(page.server.calls(INITIATE)).toHaveLength(2)
})

test('a failed job says why, is retried, and the focus stays', async () => {
  const second = job({ job_id: '0193f2a0-0000-7000-8000-000000000002', retry_of: JOB })
  page.server.on(`POST /v1/download/retry/${JOB}`, () => answer(second))
  page.server.on(`GET /v1/download/events/${second.job_id}`, new FakeStream().handler)
  await started()
  await page.does(() => stream.tell(FAILED))
  expect(page.text('status')).toBe('There is no such source.')
  expect(page.text('announcement')).toBe('The file could not be prepared. There is no such source.')
  expect(document.activeElement).toBe(page.part('retry'))
  await page.click('retry')
  expect(document.activeElement).toBe(page.part('trigger'))
  expect(page.text('status')).toBe('Waiting')
})

test('a cancelled job can be started again', async () => {
  page.server.on(CANCEL, () => answer({ job_id: JOB, status: 'cancelled' }))
  await started()
  page.part('cancel').focus()
  await page.click('cancel')
  expect(page.text('trigger')).toBe('Start again')
  expect(document.activeElement).toBe(page.part('trigger'))
  await page.click('trigger')
  expect(page.server.calls(INITIATE)).toHaveLength(2)
})

test('a refused start says why and can be repeated', async () => {
  page.server.on(INITIATE, () => problem(403, 'not_allowed'))
  await started()
  expect(page.text('status')).toBe('Because of not_allowed.')
  expect(page.text('trigger')).toBe('Download')
})

test.each([DONE, FAILED, job({ version: 9, status: 'cancelled' })])('nothing is asked after $status', async (last) => {
  await started()
  await page.does(() => stream.tell(last))
  const before = page.server.asked.length
  await page.does(() => page.clock.advance(120_000))
  expect(page.server.asked.length).toBe(before)
})

test('what an earlier visit left is shown, and no news', async () => {
  await started()
  await page.does(() => stream.tell(DONE))
  await page.show(null)
  await page.show(<DownloadButton fileId={70000} />)
  expect(page.has('link')).toBe(true)
  expect(page.text('announcement')).toBe('')
})

test('nothing happens to a component that has left, and its stream ends', async () => {
  const complain = vi.spyOn(console, 'error')
  await started()
  await page.show(null)
  expect(page.server.calls(EVENTS)[0]?.signal.aborted).toBe(true)
  expect(complain).not.toHaveBeenCalled()
})

test('a held Enter key presses one button, not the next', async () => {
  await started()
  const held = new KeyboardEvent('keydown', { key: 'Enter', repeat: true, bubbles: true, cancelable: true })
  await page.does(() => page.part('cancel').dispatchEvent(held))
  expect(held.defaultPrevented).toBe(true)
})

test('texts can be replaced, and parts arranged', async () => {
  await page.show(
    <DownloadButton.Root fileId={70000} messages={{ ...german, download: 'Her damit' }}>
      <DownloadButton.Trigger className="mine" />
      <DownloadButton.Status>always</DownloadButton.Status>
    </DownloadButton.Root>,
  )
  expect(page.text('trigger')).toBe('Her damit')
  expect(page.part('trigger').className).toBe('mine')
  await page.show(<DownloadButton fileId={70001}>{(download) => <b data-haulier="own">{download.phase}</b>}</DownloadButton>)
  expect(page.text('own')).toBe('idle')
})

test('what a server rendered is taken over, and shows the job of an earlier visit', async () => {
  const complain = vi.spyOn(console, 'error')
  await started()
  await page.show(null)
  const target = document.body.appendChild(document.createElement('div'))
  const button = page.wrapped(<DownloadButton fileId={70000} label="Photos" />)
  target.innerHTML = renderToString(button)
  expect(target.textContent).toBe('Download')
  const root = await act(async () => hydrateRoot(target, button))
  await page.does(() => stream.tell(job({ version: 2, status: 'processing', progress: 40 })))
  expect(target.querySelector('[data-haulier="status"]')?.textContent).toBe('40 %')
  expect(complain).not.toHaveBeenCalled()
  await act(async () => root.unmount())
  target.remove()
})

test('a job named by its id, whose file is gone, is not offered again', async () => {
  page.server.on(RESULT, () => problem(410, 'artefact_expired'))
  await page.show(<DownloadButton jobId={JOB} />)
  await page.does(() => stream.tell(DONE))
  await page.click('link')
  expect([page.has('link'), page.has('retry'), page.text('status')]).toEqual([false, false, 'The file has expired.'])
})

test('types tell a file from a job', () => {
  // @ts-expect-error one of them
  void (<DownloadButton />)
  // @ts-expect-error not both
  void (<DownloadButton fileId={70000} jobId={JOB} />)
  // @ts-expect-error a job has its params
  void (<DownloadButton jobId={JOB} params={{}} />)
})
