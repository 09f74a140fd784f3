import { createContext, useContext } from 'react'
import type { Messages } from '@haulier/client'
import type { Download } from '../useDownload.js'

export interface DownloadContext {
  download: Download
  messages: Messages
  /** What is downloaded, for people. */
  label: string | undefined
  /** Whether this can be asked for again when its file is gone: a job named by its id cannot. */
  isRepeatable: boolean
}

export const Context = createContext<DownloadContext | undefined>(undefined)

/** The download of the `DownloadButton.Root` above, for parts of your own. */
export function useDownloadContext(): DownloadContext {
  const value = useContext(Context)
  if (!value) throw new Error('There is no <DownloadButton.Root> above this part.')
  return value
}
