export { HaulierClient } from './client.js'
export type { CallOptions, JobsOptions, Look, StartOptions, StatusOptions } from './client.js'
export type { Clock } from './clock.js'
export type { ClientOptions, Transport } from './options.js'
export type { Connection, FollowOptions } from './following.js'
export type { FollowAllOptions, Ready } from './followAll.js'
export { asError, HaulierError, isGone, NetworkError } from './errors.js'
export type { ErrorFields } from './errors.js'
export { isTerminal, TERMINAL } from './job.js'
export { LiveSocket } from './socket.js'
export type { SocketState, StateListener } from './socket.js'
export type { AllListener, JobListener, SocketErrorListener } from './subscriptions.js'
export { DownloadStore } from './downloadStore.js'
export type { DownloadClient, DownloadStoreOptions } from './downloadStore.js'
export { nameOf } from './downloadKey.js'
export type { DownloadKey } from './downloadKey.js'
export { IDLE, isRefused, isStuck } from './downloadState.js'
export type { DownloadPhase, DownloadState, StoreConnection } from './downloadState.js'
export type { PageDocument, TabChannel, TextStorage } from './browser.js'
export { DownloadsStore } from './downloadsStore.js'
export type { DownloadsState, DownloadsStoreOptions } from './downloadsStore.js'
export type {
  BatchAccepted,
  BatchCancelled,
  BatchRequest,
  BatchStatus,
  Cancelled,
  CheckAnswer,
  DownloadResult,
  FieldProblem,
  InitiateRequest,
  JobError,
  JobPage,
  JobStatus,
  Params,
  StatusName,
  Ticket,
} from './types.js'
export { english, german } from './messages.js'
export type { Messages } from './messages.js'
export { originalReason, spokenText, statusText } from './words.js'
export type { Told } from './words.js'
