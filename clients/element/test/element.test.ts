import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HaulierDownload, setHaulierToken } from '../src/index.js'

const JOB = '01a21425-61e4-762b-996c-04dc0f793811'
const requests: { method: string; url: string; token: string | null }[] = []
let answers: Record<string, () => Response>

function job(fields: object): object {
  const times = { created_at: '2026-11-25T10:00:00.000Z', updated_at: '2026-11-25T10:00:00.000Z' }
  return { job_id: JOB, status: 'queued', progress: 0, file_id: 70000, version: 1, attempt: 0, estimated_completion: null, ...times, ...fields }
}

/** One stream that tells these jobs and stays open. */
function stream(...jobs: object[]): Response {
  const text = jobs.map((each) => `id: 1\nevent: status\ndata: ${JSON.stringify(each)}\n\n`).join('')
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

function json(body: object, status = 200): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type } })
}

async function fake(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init)
  const path = new URL(request.url).pathname
  requests.push({ method: request.method, url: request.url, token: request.headers.get('authorization') })
  const answer = answers[`${request.method} ${path}`]
  return answer ? answer() : json({ code: 'not_found', status: 404, detail: 'No.', title: 'No' }, 404)
}

function shown(element: HaulierDownload) {
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

function put(attributes: Record<string, string>): HaulierDownload {
  const element = document.createElement('haulier-download') as HaulierDownload
  for (const [name, value] of Object.entries({ 'base-url': 'https://api.example', ...attributes })) element.setAttribute(name, value)
  document.body.append(element)
  return element
}

beforeEach(() => {
  vi.stubGlobal('fetch', fake)
  localStorage.clear()
  requests.length = 0
  answers = {}
})

afterEach(() => {
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('<haulier-download>', () => {
  it('says so when the page has not said who its user is', () => {
    const element = put({ 'file-id': '70000' })
    expect(shown(element).main.textContent).toBe('Download')
    expect(requests).toEqual([])
  })

  it('asks for the file, shows how it stands, and keeps the focus', async () => {
    answers = {
      'POST /v1/download/initiate': () => json(job({ queue_position: 3 })),
      [`GET /v1/download/events/${JOB}`]: () =>
        stream(job({ queue_position: 3 }), job({ status: 'processing', progress: 42, version: 2 })),
    }
    const element = put({ 'file-id': '70000' })
    element.token = () => 'secret'
    const { main, bar, cancel, spoken } = shown(element)
    main.focus()
    main.click()
    await vi.waitFor(() => expect(main.textContent).toBe('Preparing, 42 %'))
    expect(bar.getAttribute('aria-valuenow')).toBe('42')
    expect(cancel.hidden).toBe(false)
    expect(main.getAttribute('aria-disabled')).toBe('true')
    expect(element.shadowRoot?.activeElement).toBe(main)
    expect(spoken.textContent).toBe('Preparing')
    expect(requests[0]).toMatchObject({ method: 'POST', token: 'Bearer secret' })
    expect(JSON.stringify({ ...localStorage })).not.toContain('secret')
  })

  it('offers the file when it is ready, and tells the page', async () => {
    const told: string[] = []
    document.addEventListener('haulier-completed', (event) => told.push((event as CustomEvent).detail.phase), { once: true })
    answers = {
      [`GET /v1/download/events/${JOB}`]: () =>
        stream(job({ status: 'completed', progress: 100, version: 9, file_name: 'a.zip', file_size: 3_400_000 })),
      [`GET /v1/download/result/${JOB}`]: () => json({ job_id: JOB, download_url: 'https://store.example/a.zip?signed' }),
    }
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    expect(status.textContent).toContain('a.zip is ready (3.4 MB)')
    expect(told).toEqual(['completed'])
    const links: string[] = []
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      links.push(this.href)
    })
    await new Promise((resolve) => setTimeout(resolve, 450)) // clicks right after a change are taken for stray ones
    main.click()
    await vi.waitFor(() => expect(links).toEqual(['https://store.example/a.zip?signed']))
  })

  it('shows why a job failed and tries again', async () => {
    const failed = job({ status: 'failed', version: 4, error: { code: 'source_missing', message: 'Nothing there.' } })
    answers = { [`GET /v1/download/events/${JOB}`]: () => stream(failed) }
    const element = put({ 'job-id': JOB, lang: 'de' })
    element.token = 'secret'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Noch einmal versuchen'))
    expect(status.textContent).toBe('Die Datei konnte nicht vorbereitet werden: Nothing there.')
    expect(status.classList.contains('bad')).toBe(true)
  })

  it('cancels', async () => {
    let now = job({ status: 'processing', progress: 1, version: 2 })
    answers = {
      [`GET /v1/download/events/${JOB}`]: () => stream(now),
      [`DELETE /v1/download/cancel/${JOB}`]: () => {
        now = job({ status: 'cancelled', version: 3 })
        return json({ job_id: JOB, status: 'cancelled' })
      },
    }
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { cancel, status } = shown(element)
    await vi.waitFor(() => expect(cancel.hidden).toBe(false))
    cancel.click()
    await vi.waitFor(() => expect(status.textContent).toBe('Cancelled'))
  })

  it('stops all its work when it leaves the document', async () => {
    answers = { [`GET /v1/download/events/${JOB}`]: () => stream(job({})) }
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    await vi.waitFor(() => expect(shown(element).status.textContent).toContain('Waiting'))
    const before = requests.length
    element.remove()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(requests.length).toBe(before)
  })

  it.each([
    [{}, 'needs a file-id'],
    [{ 'file-id': 'many' }, 'needs a file-id'],
    [{ 'file-id': '70000', params: '{' }, 'did not work'],
    [{ 'file-id': '70000', params: '[]' }, 'no JSON object'],
  ])('says what is wrong with %o', (attributes, words) => {
    expect(shown(put(attributes as Record<string, string>)).status.textContent).toContain(words)
  })

  it('takes texts of the page', () => {
    const element = put({ 'file-id': '70000' })
    element.messages = { download: 'Get it' }
    expect(shown(element).main.textContent).toBe('Get it')
    element.setAttribute('label', 'Photos')
    expect(shown(element).main.textContent).toBe('Photos')
  })

  it('waits for the token of the page', async () => {
    answers = { [`GET /v1/download/events/${JOB}`]: () => stream(job({ status: 'processing', progress: 7, version: 2 })) }
    const element = put({ 'job-id': JOB })
    expect(requests).toEqual([])
    setHaulierToken(async () => 'of the page')
    await vi.waitFor(() => expect(shown(element).main.textContent).toBe('Preparing, 7 %'))
    expect(requests[0]?.token).toBe('Bearer of the page')
  })
})
