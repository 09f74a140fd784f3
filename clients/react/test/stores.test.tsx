import { afterEach, beforeEach, expect, test } from 'vitest'
import { answer, EVENTS, FakeStream, job } from '../../typescript/test/fakes.js'
import { useDownload } from '../src/index.js'
import { ClientStores } from '../src/stores.js'
import { Page } from './page.js'

let page: Page
beforeEach(() => {
  page = new Page()
})
afterEach(() => page.leave())

function Shown({ fileId }: { fileId: number }) {
  const { phase, start } = useDownload(fileId)
  return (
    <button data-haulier="shown" onClick={() => void start()}>
      {phase}
    </button>
  )
}

const Table = ({ from, rows }: { from: number; rows: number }) =>
  Array.from({ length: rows }, (_, row) => <Shown key={from + row} fileId={from + row} />)

test('of the downloads that nobody shows any more the last 200 are kept, and all that are shown', async () => {
  const storeOf = (fileId: number) => ClientStores.of(page.client).download({ fileId }, 'stream').store
  const [shown, first, last] = [70000, 70001, 70251].map(storeOf)
  page.server.on('POST /v1/download/initiate', () => answer(job())).on(EVENTS, new FakeStream().handler)
  await page.show(<Table from={70000} rows={252} />)
  await page.click('shown')
  await page.show(<Shown key={70000} fileId={70000} />)
  expect(storeOf(70251)).toBe(last)
  expect(storeOf(70001)).not.toBe(first)
  expect(storeOf(70000)).toBe(shown)
  await page.show(<Shown key={70000} fileId={70000} />)
  expect([page.text('shown'), page.server.calls(EVENTS).length]).toEqual(['queued', 1])
})
