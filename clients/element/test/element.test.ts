import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { setHaulierToken } from '../src/index.js'
import { answers, CANCEL, cleaned, EVENTS, followed, fresh, INITIATE, job, JOB, json, later, put, requests, RESULT, shown, stream } from './page.js'

beforeEach(fresh)
afterEach(cleaned)

describe('<haulier-download>', () => {
  it('says so when the page has not said who its user is', () => {
    const element = put({ 'file-id': '70000' })
    const { main, status } = shown(element)
    expect(main.textContent).toBe('Download')
    main.click()
    expect(status.textContent).toBe('This page has not said who you are, so nothing can be asked for.')
    expect(requests).toEqual([])
  })

  it('asks for the file, shows how it stands, and keeps the focus', async () => {
    answers.set(INITIATE, () => json(job({ queue_position: 3 })))
    answers.set(EVENTS, () => stream(job({ queue_position: 3 }), job({ status: 'processing', progress: 42, version: 2 })))
    const element = put({ 'file-id': '70000' })
    element.token = () => 'secret'
    const { main, bar, cancel, status, spoken } = shown(element)
    main.focus()
    main.click()
    await vi.waitFor(() => expect(status.textContent).toBe('42 %'))
    expect(main.textContent).toBe('Preparing…')
    expect(bar.getAttribute('aria-valuenow')).toBe('42')
    expect(cancel.hidden).toBe(false)
    expect(main.getAttribute('aria-disabled')).toBe('true')
    expect(element.shadowRoot?.activeElement).toBe(main)
    expect(spoken.textContent).toBe('The file is being prepared.')
    expect(requests[0]).toMatchObject({ method: 'POST', token: 'Bearer secret' })
    expect(JSON.stringify({ ...localStorage })).not.toContain('secret')
  })

  it('offers the file when it is ready, and tells the page', async () => {
    const told: string[] = []
    document.addEventListener('haulier-completed', (event) => told.push((event as CustomEvent).detail.phase), { once: true })
    answers.set(EVENTS, () => stream(job({ status: 'completed', version: 9, file_name: 'a.zip', file_size: 3_400_000 })))
    answers.set(RESULT, () => json({ job_id: JOB, download_url: 'https://store.example/a.zip?signed' }))
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    expect(status.textContent).toBe('Ready · a.zip · 3.4 MB')
    expect(told).toEqual(['completed'])
    const links = followed()
    later()
    main.click()
    await vi.waitFor(() => expect(links).toEqual(['https://store.example/a.zip?signed']))
  })

  it('shows why a job failed and tries again', async () => {
    const failed = job({ status: 'failed', version: 4, error: { code: 'source_missing', message: 'Nothing there.' } })
    answers.set(EVENTS, () => stream(failed))
    const element = put({ 'job-id': JOB, lang: 'de' })
    element.token = 'secret'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Erneut versuchen'))
    expect(status.textContent).toBe('Die Quelle der Datei gibt es nicht mehr.')
    expect(status.innerHTML).toBe('<span title="Nothing there." lang="en"><span lang="de">Die Quelle der Datei gibt es nicht mehr.</span></span>')
    expect(status.classList.contains('bad')).toBe(true)
  })

  it('cancels', async () => {
    let now = job({ status: 'processing', progress: 1, version: 2 })
    answers.set(EVENTS, () => stream(now))
    answers.set(CANCEL, () => {
      now = job({ status: 'cancelled', version: 3 })
      return json({ job_id: JOB, status: 'cancelled' })
    })
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { cancel, status } = shown(element)
    await vi.waitFor(() => expect(cancel.hidden).toBe(false))
    cancel.click()
    await vi.waitFor(() => expect(status.textContent).toBe('Cancelled'))
  })

  it('stops all its work when it leaves the document', async () => {
    answers.set(EVENTS, () => stream(job({})))
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    await vi.waitFor(() => expect(shown(element).status.textContent).toContain('Waiting'))
    const before = requests.length
    element.remove()
    await new Promise((resolve) => setImmediate(resolve))
    expect(requests.length).toBe(before)
  })

  it.each([
    [{}, 'needs a file-id'],
    [{ 'file-id': 'many' }, 'needs a file-id'],
    [{ 'file-id': '70000', params: '{' }, 'JSON'],
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
    answers.set(EVENTS, () => stream(job({ status: 'processing', progress: 7, version: 2 })))
    const element = put({ 'job-id': JOB })
    expect(requests).toEqual([])
    setHaulierToken(async () => 'of the page')
    await vi.waitFor(() => expect(shown(element).status.textContent).toBe('7 %'))
    expect(requests[0]?.token).toBe('Bearer of the page')
  })
})
