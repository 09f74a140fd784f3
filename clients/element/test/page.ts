import { vi } from 'vitest'
import type { HaulierDownload } from '../src/index.js'

export const JOB = '01a21425-61e4-762b-996c-04dc0f793811'
export const INITIATE = 'POST /v1/download/initiate'
export const EVENTS = `GET /v1/download/events/${JOB}`
export const RESULT = `GET /v1/download/result/${JOB}`
export const CANCEL = `DELETE /v1/download/cancel/${JOB}`
export const requests: { method: string; url: string; token: string | null }[] = []
/** What the server answers, by call. */
export const answers = new Map<string, (token: string | null) => Response | Promise<Response>>()

export function job(fields: object): object {
  const times = { created_at: '2026-11-25T10:00:00.000Z', updated_at: '2026-11-25T10:00:00.000Z' }
  return { job_id: JOB, status: 'queued', progress: 0, file_id: 70000, version: 1, attempt: 0, estimated_completion: null, ...times, ...fields }
}

/** One stream that tells these jobs and stays open. */
export function stream(...jobs: object[]): Response {
  const text = jobs.map((each) => `id: 1\nevent: status\ndata: ${JSON.stringify(each)}\n\n`).join('')
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

export function json(body: object, status = 200): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type } })
}

async function fake(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init)
  const path = new URL(request.url).pathname
  const token = request.headers.get('authorization')
  requests.push({ method: request.method, url: request.url, token })
  const answer = answers.get(`${request.method} ${path}`)
  return answer ? answer(token) : json({ code: 'not_found', status: 404, detail: 'No.', title: 'No' }, 404)
}

export function shown(element: HaulierDownload) {
  const root = element.shadowRoot as ShadowRoot
  const one = (part: string) => root.querySelector<HTMLElement>(`[part=${part}]`) as HTMLElement
  return {
    main: one('main') as HTMLButtonElement,
    cancel: one('cancel') as HTMLButtonElement,
    bar: one('track'),
    status: one('status'),
    spoken: one('spoken'),
  }
}

export function put(attributes: Record<string, string>): HaulierDownload {
  const element = document.createElement('haulier-download') as HaulierDownload
  for (const [name, value] of Object.entries({ 'base-url': 'https://api.example', ...attributes })) element.setAttribute(name, value)
  document.body.append(element)
  return element
}

export function problem(status: number, code: string): Response {
  return json({ code, status, detail: `Because of ${code}.`, title: code }, status)
}

/** The page as it is before a test. */
export function fresh(): void {
  vi.stubGlobal('fetch', fake)
  vi.useFakeTimers({ toFake: ['Date'] })
  localStorage.clear()
  requests.length = 0
  answers.clear()
}

export function cleaned(): void {
  document.body.replaceChildren()
  vi.useRealTimers()
  vi.unstubAllGlobals()
}

/** Past the moment in which a click is taken for one that was meant for the state before. */
export function later(): void {
  vi.setSystemTime(Date.now() + 500)
}

/** The addresses that links lead to from now on. */
export function followed(): string[] {
  const links: string[] = []
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    links.push(this.href)
  })
  return links
}
