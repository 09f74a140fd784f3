import type { FieldProblem, Problem } from './types.js'

export interface ErrorFields {
  code: string
  status: number
  detail: string
  requestId?: string | undefined
  /** Seconds. */
  retryAfter?: number | undefined
  errors?: readonly FieldProblem[] | undefined
}

/** What the server refused, in its own words. `code` is stable, `detail` is a sentence for people. */
export class HaulierError extends Error {
  override name = 'HaulierError'
  readonly code: string
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly detail: string
  readonly requestId: string | undefined
  /** Seconds until another try is worthwhile. */
  readonly retryAfter: number | undefined
  /** Where the request is wrong, for `invalid_request`. */
  readonly errors: readonly FieldProblem[] | undefined

  constructor(fields: ErrorFields, options?: { cause?: unknown }) {
    super(fields.detail, options)
    this.code = fields.code
    this.status = fields.status
    this.detail = fields.detail
    this.requestId = fields.requestId
    this.retryAfter = fields.retryAfter
    this.errors = fields.errors
  }
}

/** No answer: the connection failed, broke, or the time was over. Whether the server acted is not known. */
export class NetworkError extends HaulierError {
  override name = 'NetworkError'

  constructor(detail: string, options?: { cause?: unknown }) {
    super({ code: 'network_error', status: 0, detail }, options)
  }
}

/** Seconds of a Retry-After header, which may be a date; undefined when it says nothing. */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000))
}

/** The error of an answer whose body is `text`; proxies answer without problem+json. */
export function errorOf(answer: { status: number; headers: Headers; text: string; now: number }): HaulierError {
  const problem = problemOf(answer.text)
  return new HaulierError({
    code: problem.code ?? `http_${answer.status}`,
    status: answer.status,
    detail: problem.detail ?? problem.title ?? `The server answered with status ${answer.status}.`,
    requestId: problem.request_id ?? answer.headers.get('x-request-id') ?? undefined,
    retryAfter: retryAfter(answer.headers, answer.now),
    errors: problem.errors,
  })
}

function problemOf(text: string): Partial<Problem> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Partial<Problem>) : {}
  } catch {
    return {}
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof HaulierError && error.code === code
}

/** Whether a file that was there is no more: expired, or its job is forgotten. */
export function isGone(error: unknown): boolean {
  return error instanceof HaulierError && [404, 410].includes(error.status)
}
