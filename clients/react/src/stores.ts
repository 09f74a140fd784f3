import {
  DownloadsStore,
  DownloadStore,
  nameOf,
  type DownloadKey,
  type DownloadsState,
  type DownloadState,
  type HaulierClient,
} from '@haulier/client'
import { Shared } from './shared.js'
import { SocketClient } from './socketClient.js'

export type Via = 'stream' | 'websocket'
export type SharedDownload = Shared<DownloadState, DownloadStore>
export type SharedDownloads = Shared<DownloadsState, DownloadsStore>

/** A page that is gone back to shows at once what it showed; a long table that was scrolled through is not kept for ever. */
const KEPT = 200

const known = new WeakMap<HaulierClient, ClientStores>()

/** The stores of a client: one for each download, however many components show it. */
export class ClientStores {
  readonly #client: HaulierClient
  readonly #downloads = new Map<string, SharedDownload>()
  readonly #lists = new Map<number | undefined, SharedDownloads>()
  #socketClient: SocketClient | undefined

  static of(client: HaulierClient): ClientStores {
    const found = known.get(client) ?? new ClientStores(client)
    known.set(client, found)
    return found
  }

  constructor(client: HaulierClient) {
    this.#client = client
  }

  download(key: DownloadKey, via: Via): SharedDownload {
    const name = `${via} ${nameOf(key)}`
    const found = kept(this.#downloads, name, () => new Shared(new DownloadStore(this.#over(via), key), () => this.#prune()))
    // Those that were shown longest ago stand first. What is about to be shown stands last.
    if (this.#downloads.delete(name)) this.#downloads.set(name, found)
    return found
  }

  list(limit: number | undefined): SharedDownloads {
    return kept(this.#lists, limit, () => new Shared(new DownloadsStore(this.#client, { limit })))
  }

  #prune(): void {
    const left = [...this.#downloads].filter(([, { isShown }]) => !isShown)
    for (const [name] of left.slice(0, -KEPT)) this.#downloads.delete(name)
  }

  #over(via: Via): HaulierClient | SocketClient {
    if (via === 'stream') return this.#client
    this.#socketClient ??= new SocketClient(this.#client)
    return this.#socketClient
  }
}

/** A server renders for many users and keeps nothing. */
function kept<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found) return found
  const made = make()
  if (typeof document !== 'undefined') map.set(key, made)
  return made
}
