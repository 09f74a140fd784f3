import { HaulierClient, HaulierError } from '@haulier/client'

export type TokenSource = string | (() => string | Promise<string>)

/** Where this module came from is where the API is, unless an element says otherwise. */
export const HOME = import.meta.url.slice(0, import.meta.url.lastIndexOf('/'))

/** Whose tokens these are. For the same user another source may take the place of this one. */
export interface Owner {
  source: TokenSource
  readonly user: string | undefined
}

/** The user of the page, with one client for each address, so that all elements share its connections. */
let owner: (Owner & { readonly clients: Map<string, HaulierClient> }) | undefined
const listeners = new Set<() => void>()

/**
 * Who the user of this page is, for all elements: a token, or a function (it may be async) that gives one. Called again
 * with the same `user` it renews the token; with another one, or with none, all elements begin anew.
 */
export function setHaulierToken(source: TokenSource, { user }: { user?: string | undefined } = {}): void {
  if (owner && user !== undefined && user === owner.user) {
    owner.source = source
    return
  }
  owner = { source, user, clients: new Map() }
  for (const begin of [...listeners]) if (listeners.has(begin)) begin()
}

/** Calls back when the page says that its user is another one. Answers how to stop that. */
export function onNewUser(begin: () => void): () => void {
  listeners.add(begin)
  return () => listeners.delete(begin)
}

export function pageOwner(): Owner | undefined {
  return owner
}

/** Whether a token that was refused stays: there is another one only where all begins anew. */
export function isFixed(whose: Owner | undefined): boolean {
  return typeof whose?.source === 'string' && whose.user === undefined
}

/** The client of the page's user; undefined while the page has not said who that is. */
export function clientOf(baseUrl: string): HaulierClient | undefined {
  // Not `owner` itself below: a request that is under way must not go out with the next user's token.
  const current = owner
  if (!current) return undefined
  const found = current.clients.get(baseUrl)
  if (found) return found
  const client = ownClient(baseUrl, current, current.user)
  current.clients.set(baseUrl, client)
  return client
}

/** A client whose tokens are those of `owner`, always the latest. */
export function ownClient(baseUrl: string, owner: Owner, user: string | undefined): HaulierClient {
  return new HaulierClient({ baseUrl, user, token: () => tokenOf(owner.source) })
}

/** Why nothing can be asked for while there is no client. */
export function noUser(): HaulierError {
  return new HaulierError({ code: 'no_user', status: 0, detail: 'No token: call setHaulierToken() with a function that gives one.' })
}

function tokenOf(source: TokenSource): string | Promise<string> {
  return typeof source === 'string' ? source : source()
}
