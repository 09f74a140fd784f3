/** The shapes of the wire, as the server's OpenAPI document describes them. */

import type { components } from './schema.js'

type Schemas = components['schemas']

export type JobStatus = Schemas['JobStatus']
export type StatusName = JobStatus['status']
export type JobError = Schemas['JobError']
export type DownloadResult = Schemas['DownloadResult']
export type Cancelled = Schemas['Cancelled']
export type JobPage = Schemas['JobPage']
export type CheckAnswer = Schemas['CheckAnswer']
export type BatchAccepted = Schemas['BatchAccepted']
export type BatchStatus = Schemas['BatchStatus']
export type BatchCancelled = Schemas['BatchCancelled']
export type FieldProblem = Schemas['FieldProblem']
export type Problem = Schemas['Problem']
export type Params = Record<string, unknown>

/** What `POST /v1/download/initiate` takes: `file_id` or `file_ids`. */
export type InitiateRequest = Omit<Schemas['InitiateRequest'], 'mode'> & { mode?: 'archive' }

/** One job for each file. */
export type BatchRequest = Omit<InitiateRequest, 'mode'> & { mode: 'jobs' }

/** A single-use admission to the WebSocket. */
export type Ticket = Schemas['Ticket']
