import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Button } from './button.js'
import { Haulier } from '../../testing/haulier.js'
import { Site } from './site.js'

const SWITCHES = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const haulier = new Haulier()
const site = new Site(haulier)
let browser: Browser
let context: BrowserContext
let page: Page
let user: string
let users = 0
const complaints: string[] = []

beforeAll(async () => {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  ;[browser] = await Promise.all([chromium.launch({ executablePath, args: SWITCHES }), haulier.start(), site.start()])
})
afterAll(async () => {
  site.stop()
  await Promise.all([browser.close(), haulier.remove()])
})
beforeEach(async () => {
  user = `user-${(users += 1)}`
  context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  await context.addCookies([{ name: 'user', value: user, url: site.url }])
  page = await context.newPage()
  complaints.length = 0
  page.on('pageerror', (error) => complaints.push(String(error)))
})
afterEach(async () => {
  await context.close()
  expect(complaints).toEqual([])
})

async function visit(fileId: number, query = '', on = page): Promise<Button> {
  await on.goto(`${site.url}/?files=${fileId}${query}`)
  return new Button(on, fileId)
}

/** What axe finds wrong on the page in light and dark, in a line each. */
async function violations(): Promise<string[]> {
  await page.evaluate(AXE)
  const lines: string[] = []
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    const found = (await page.evaluate('axe.run()')) as { violations: { id: string; nodes: { html: string }[] }[] }
    lines.push(...found.violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html).join(' ')}`))
  }
  return lines
}

test('from the click to the file, with the keyboard alone', async () => {
  const button = await visit(71000)
  expect(await violations()).toEqual([])
  await page.keyboard.press('Tab')
  await button.hasFocusOn('Download')
  await page.keyboard.press('Enter')
  await button.passes(10)
  await button.hasFocusOn('Preparing…')
  expect(await violations()).toEqual([])
  await button.is('completed')
  await button.hasFocusOn('Save file')
  expect(await violations()).toEqual([])
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')])
  expect(download.suggestedFilename()).toBe('quick-71000.bin')
  expect(readFileSync(await download.path())).toHaveLength(20_000)
  expect(await haulier.jobs(user)).toBe(1)
})

test('a cancelled job is started again', async () => {
  const button = await visit(71100)
  await button.press('Download')
  await button.is('processing')
  await button.press('Cancel')
  await button.is('cancelled')
  await button.hasFocusOn('Start again')
  await page.locator('.history li', { hasText: 'cancelled' }).waitFor({ timeout: 10_000 })
  expect(await violations()).toEqual([])
  await page.keyboard.press('Enter')
  await button.is('processing')
  expect(await haulier.jobs(user)).toBe(2)
})

test('a failed job says why and is retried', async () => {
  const button = await visit(71200)
  await button.press('Download')
  await button.is('failed')
  expect(await button.part('status').textContent()).toContain('simulated source')
  await button.hasFocusOn('Try again')
  expect(await violations()).toEqual([])
  await page.keyboard.press('Enter')
  await expect.poll(() => haulier.jobs(user), { timeout: 10_000 }).toBe(2)
  await button.is('failed')
  await button.hasFocusOn('Try again')
})

test('a reload in the middle and a second tab show the same job, and its end', async () => {
  const button = await visit(71100)
  await button.press('Download')
  await button.is('processing')
  const reached = Number(await button.part('progress').getAttribute('aria-valuenow'))
  await page.reload()
  const other = await visit(71100, '', await context.newPage())
  await Promise.all([button.passes(reached - 1), other.passes(reached - 1)])
  await other.press('Cancel')
  await Promise.all([button.is('cancelled'), other.is('cancelled')])
  expect(await haulier.jobs(user)).toBe(1)
})

test('a start in one tab shows in the other, which hears of it over a WebSocket', async () => {
  const sockets: string[] = []
  const other = await context.newPage()
  other.on('websocket', (socket) => sockets.push(new URL(socket.url()).pathname))
  const [button, second] = [await visit(71001), await visit(71001, '&via=websocket', other)]
  await button.press('Download')
  await second.is('processing')
  await second.connects('live')
  await Promise.all([button.is('completed'), second.is('completed')])
  expect(sockets).toEqual(['/ws'])
})

test('a server that goes away and comes back is shown, and the job completes', async () => {
  const button = await visit(71300)
  await button.press('Download')
  await button.passes(0)
  await haulier.stop()
  await button.connects('offline')
  expect(await button.part('status').textContent()).toContain('No connection')
  expect(await violations()).toEqual([])
  await haulier.start()
  await button.is('completed')
  expect(await haulier.jobs(user)).toBe(1)
})

test('what waits has a place in the queue, and German fits on a phone', async () => {
  for (const fileId of [71110, 71111, 71112]) {
    const before = await visit(fileId)
    await before.press('Download')
    await before.is('processing')
  }
  await page.setViewportSize({ width: 320, height: 640 })
  const button = await visit(71113, '&language=de')
  await button.press('Herunterladen')
  await button.is('queued')
  await expect.poll(() => button.part('status').textContent(), { timeout: 10_000 }).toBe('In der Warteschlange, Platz 1')
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await button.part('bar').evaluate((bar) => getComputedStyle(bar).animationName)).toBe('none')
  expect(await violations()).toEqual([])
})
