import type { HaulierClient } from '@haulier/client'
import { createContext, useContext, useMemo, type ReactNode } from 'react'

export interface HaulierContext {
  client: HaulierClient
  /** Brings the browser to a signed URL; by default the page's location, which a file does not replace. */
  openUrl: (url: string) => void
}

export interface HaulierProviderProps {
  client: HaulierClient
  openUrl?: ((url: string) => void) | undefined
  children?: ReactNode
}

const Context = createContext<HaulierContext | undefined>(undefined)

/** Gives the components below it a client. Make that once, outside of components. */
export function HaulierProvider({ client, openUrl = visit, children }: HaulierProviderProps) {
  const value = useMemo(() => ({ client, openUrl }), [client, openUrl])
  return <Context.Provider value={value}>{children}</Context.Provider>
}

/** The client of the provider above. */
export function useHaulier(): HaulierClient {
  return useHaulierContext().client
}

export function useHaulierContext(): HaulierContext {
  const value = useContext(Context)
  if (!value) throw new Error('There is no <HaulierProvider client={…}> above this component.')
  return value
}

function visit(url: string): void {
  window.location.assign(url)
}
