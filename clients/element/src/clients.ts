import { HaulierClient } from '@haulier/client'

export type TokenSource = string | (() => string | Promise<string>)

/** Where this module came from is where the API is, unless an element says otherwise. */
export const HOME = import.meta.url.slice(0, import.meta.url.lastIndexOf('/'))

export class NoToken extends Error {
  constructor() {
    super('No token: call setHaulierToken() with a function that gives one.')
    this.name = 'NoToken'
  }
}

let pageToken: TokenSource | undefined
const clients = new Map<string, HaulierClient>()
const waiting = new Set<() => void>()

/** Who the user of this page is, for all elements: a token, or a function (it may be async) that gives one. */
export function setHaulierToken(source: TokenSource): void {
  pageToken = source
  for (const ready of [...waiting]) ready()
}

/** Calls back when the page has said who its user is; at once when it has already. Answers how to stop waiting. */
export function whenTokenKnown(ready: () => void): () => void {
  if (pageToken !== undefined) {
    ready()
    return () => {}
  }
  waiting.add(ready)
  return () => waiting.delete(ready)
}

/** One client for each address, so that all elements of a page share its connections. */
export function clientOf(baseUrl: string): HaulierClient {
  let client = clients.get(baseUrl)
  if (!client) {
    client = new HaulierClient({ baseUrl, token: () => tokenOf(pageToken) })
    clients.set(baseUrl, client)
  }
  return client
}

/** A client with a token of its own. */
export function ownClient(baseUrl: string, source: TokenSource): HaulierClient {
  return new HaulierClient({ baseUrl, token: () => tokenOf(source) })
}

function tokenOf(source: TokenSource | undefined): string | Promise<string> {
  if (source === undefined) throw new NoToken()
  return typeof source === 'string' ? source : source()
}
