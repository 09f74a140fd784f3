import { DownloadStore, HaulierClient, type ClientOptions, type DownloadKey, type DownloadStoreOptions, type TabChannel } from '../src/index.js'
import { FakeClock, FakeServer, FakeStorage, job, JOB } from './fakes.js'

export const INITIATE = 'POST /v1/download/initiate'
export const CANCEL = `DELETE /v1/download/cancel/${JOB}`
export const OTHER = '0193f2a0-0000-7000-8000-000000000002'
export const RUNNING = job({ status: 'processing', progress: 50, version: 3 })
export const DONE = job({
  status: 'completed',
  progress: 100,
  version: 4,
  download_url: 'https://store.example/file?signature=abc',
  expires_at: '2026-11-26T10:00:00.000Z',
})

/** Channels of one browser: each hears the others. */
export class FakeChannel extends EventTarget {
  static all: FakeChannel[] = []
  static said: unknown[] = []
  constructor() {
    super()
    FakeChannel.all.push(this)
  }
  postMessage(data: unknown): void {
    FakeChannel.said.push(data)
    for (const channel of FakeChannel.all) {
      if (channel !== this) channel.dispatchEvent(new MessageEvent('message', { data }))
    }
  }
}

/** A browser whose tabs have a storage in common, and talk to one server. */
export function browser() {
  const server = new FakeServer()
  const clock = new FakeClock()
  const storage = new FakeStorage()
  FakeChannel.all = []
  FakeChannel.said = []
  const tab = (key: DownloadKey = { fileId: 70000 }, options: DownloadStoreOptions & Partial<ClientOptions> = {}) => {
    const client = new HaulierClient({ token: 'very-secret', fetch: server.fetch, clock, random: () => 0.5, ...options })
    const channel = new FakeChannel() as unknown as TabChannel
    return new DownloadStore(client, key, { storage, channel, document: null, ...options })
  }
  return { server, clock, storage, tab }
}

/** Listens, and keeps the phases that were shown. */
export function listened(store: DownloadStore) {
  const phases: string[] = []
  const stop = store.subscribe(() => {
    const { phase } = store.getState()
    if (phases.at(-1) !== phase) phases.push(phase)
  })
  return { phases, stop }
}
