// @vitest-environment node
import { HaulierClient } from '@haulier/client'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import { DownloadButton, HaulierProvider, useDownloads, useWebSocketDownload } from '../src/index.js'

test('a server without a window renders what idle looks like, and asks nothing', () => {
  const fetch = vi.fn()
  const complain = vi.spyOn(console, 'error')
  const client = new HaulierClient({ token: 't', fetch, baseUrl: 'http://haulier.test' })
  function Others() {
    return <p>{`${useWebSocketDownload(70001).phase} ${useDownloads().isReady}`}</p>
  }
  const html = renderToString(
    <HaulierProvider client={client}>
      <DownloadButton fileId={70000} label="Photos" />
      <Others />
    </HaulierProvider>,
  )
  expect(typeof window).toBe('undefined')
  expect(html).toContain('>Download</button>')
  expect(html).toContain('<p>idle false</p>')
  expect([fetch.mock.calls.length, complain.mock.calls.length]).toEqual([0, 0])
})

test('a component without a provider says what is missing', () => {
  expect(() => renderToString(<DownloadButton fileId={70000} />)).toThrow('<HaulierProvider client={…}>')
})
