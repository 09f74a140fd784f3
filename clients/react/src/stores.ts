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
    return kept(this.#downloads, name, () => new Shared(new DownloadStore(this.#over(via), key)))
  }

  list(limit: number | undefined): SharedDownloads {
    return kept(this.#lists, limit, () => new Shared(new DownloadsStore(this.#client, { limit })))
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
