// The custom element in Chromium: on a page of another origin than Haulier's, and on the page of a job.
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Haulier } from '../../testing/haulier.js'

const SWITCHES = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const QUICK = 71000
const LONG = 71100

let haulier: Haulier
let site: Server
let address: string
let browser: Browser
let context: BrowserContext
let page: Page
let user = 'anna'

/** A page as somebody would write it who has no framework. */
function html(fileId: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Reports</title></head><body><main><h1>Reports</h1>
<script type="module">
  import { setHaulierToken } from '${haulier.url}/haulier-download.js'
  setHaulierToken(async () => '${haulier.token(user)}')
</script>
<haulier-download file-id="${fileId}"></haulier-download></main></body></html>`
}

beforeAll(async () => {
  site = createServer((request, answer) => {
    answer.setHeader('Content-Type', 'text/html; charset=utf-8')
    answer.end(html(new URL(request.url ?? '/', 'http://site').searchParams.get('file') ?? ''))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => site.once('listening', resolve))
  address = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  haulier = new Haulier({ settings: { HAULIER_ALLOWED_ORIGINS: address } })
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  ;[browser] = await Promise.all([chromium.launch({ executablePath, args: SWITCHES }), haulier.start()])
})

afterAll(async () => {
  site.close()
  await Promise.all([browser.close(), haulier.remove()])
})

beforeEach(async () => {
  user = `user-${Math.random().toString(36).slice(2)}`
  context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  page = await context.newPage()
})

afterEach(() => context.close())

async function visit(fileId: number, on = page): Promise<Locator> {
  await on.goto(`${address}/?file=${fileId}`)
  return on.locator('haulier-download')
}

async function is(element: Locator, phase: string): Promise<void> {
  await expect.poll(() => element.getAttribute('data-phase'), { timeout: 30_000 }).toBe(phase)
}

async function violations(): Promise<unknown> {
  await page.evaluate(AXE)
  return page.evaluate('axe.run().then((found) => found.violations.map((each) => each.id))')
}

test('a page of another origin gets a file by one click and another', async () => {
  const element = await visit(QUICK)
  expect(await violations()).toEqual([])
  await element.getByRole('button', { name: 'Download' }).click()
  await is(element, 'processing')
  const value = () => element.getByRole('progressbar').getAttribute('aria-valuenow')
  await expect.poll(value, { timeout: 15_000 }).not.toBe('0')
  expect(await violations()).toEqual([])
  await is(element, 'completed')
  const saving = page.waitForEvent('download')
  await page.waitForTimeout(500) // clicks right after a change are taken for stray ones
  await element.getByRole('button', { name: 'Save file' }).click()
  const saved = await saving
  expect(saved.suggestedFilename()).toBe('quick-71000.bin')
  expect(readFileSync((await saved.path()) as string).length).toBe(20_000)
  expect(page.url()).toContain(address)
})

test('a page of an origin that is not allowed has the setting named on its console, once', async () => {
  const warnings: string[] = []
  page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()))
  await page.goto(`${address.replace('127.0.0.1', 'localhost')}/?file=${QUICK}`)
  await page.locator('haulier-download').getByRole('button', { name: 'Download' }).click()
  await page.getByText('The server did not answer.').first().waitFor({ timeout: 15_000 })
  expect(warnings).toEqual([expect.stringContaining('HAULIER_ALLOWED_ORIGINS has to name http://localhost:')])
})

test('a reload and a second tab show the same job, which is cancelled in one of them', async () => {
  const element = await visit(LONG)
  await element.getByRole('button', { name: 'Download' }).click()
  await is(element, 'processing')
  await page.reload()
  const other = await visit(LONG, await context.newPage())
  await Promise.all([is(element, 'processing'), is(other, 'processing')])
  await other.getByRole('button', { name: 'Cancel' }).click()
  await Promise.all([is(element, 'cancelled'), is(other, 'cancelled')])
  expect(await haulier.jobs(user)).toBe(1)
})

test('seven windows with a live job each leave connections for calls', async () => {
  const first = await visit(LONG + 2)
  await first.getByRole('button', { name: 'Download' }).click()
  await is(first, 'processing')
  const windows = await Promise.all(Array.from({ length: 6 }, () => context.newPage()))
  const others = await Promise.all(windows.map((window) => visit(LONG + 2, window)))
  await Promise.all(others.map((other) => is(other, 'processing')))
  const ways = await Promise.all(
    [first, ...others].map((element) => element.evaluate((node) => (node as unknown as { state: { connection: string } }).state.connection)),
  )
  expect(ways.filter((way) => way === 'live')).toHaveLength(4)
  expect(ways.filter((way) => way === 'polling')).toHaveLength(3)
  await others[5]?.getByRole('button', { name: 'Cancel' }).click()
  await Promise.all([first, ...others].map((element) => is(element, 'cancelled')))
})

test('the page of a job shows it to its user alone, and keeps no token', async () => {
  const element = await visit(LONG + 1)
  await element.getByRole('button', { name: 'Download' }).click()
  await is(element, 'processing')
  const jobId = await element.evaluate((node) => (node as unknown as { state: { job: { job_id: string } } }).state.job.job_id)
  await page.goto(`${haulier.url}/jobs/${jobId}`)
  expect(await violations()).toEqual([])
  const show = async (token: string) => {
    await page.getByLabel('Token').fill(token)
    await page.keyboard.press('Enter')
  }
  await show(haulier.token('somebody-else'))
  await page.getByText('This download does not exist, or it is not yours.').first().waitFor({ timeout: 10_000 })
  expect(await page.locator('haulier-download').getByRole('button').count()).toBe(0)
  await show('no token')
  await page.getByText('Please sign in again.').first().waitFor({ timeout: 10_000 })
  expect(await page.locator('haulier-download').getByRole('button').count()).toBe(0)
  expect(await violations()).toEqual([])
  await show(haulier.token(user))
  await is(page.locator('haulier-download'), 'processing')
  expect(await violations()).toEqual([])
  expect(await page.evaluate('JSON.stringify(localStorage) + JSON.stringify(sessionStorage)')).not.toContain('eyJ')
  await page.reload()
  expect(await page.locator('haulier-download').count()).toBe(0)
})
