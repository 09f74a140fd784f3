import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HaulierDownload, setHaulierToken } from '../src/index.js'
import { answers, CANCEL, cleaned, EVENTS, followed, fresh, INITIATE, job, JOB, json, later, problem, put, requests, RESULT, shown, stream } from './page.js'

const DONE = job({ status: 'completed', version: 9, file_name: 'annas.pdf' })

beforeEach(fresh)
afterEach(cleaned)

function calls(call: string): number {
  return requests.filter(({ method, url }) => `${method} ${new URL(url).pathname}` === call).length
}

describe('another user of the page', () => {
  it('sees nothing of the one before', async () => {
    answers.set(INITIATE, () => json(job({})))
    answers.set(EVENTS, (token) => (token === 'Bearer anna' ? stream(DONE) : problem(404, 'job_not_found')))
    setHaulierToken('anna', { user: 'anna' })
    const { main, status } = shown(put({ 'file-id': '70000' }))
    main.click()
    await vi.waitFor(() => expect(status.textContent).toContain('annas.pdf'))
    const before = requests.length
    setHaulierToken('bert', { user: 'bert' })
    expect([main.textContent, status.textContent]).toEqual(['Download', ''])
    expect(main.getAttribute('aria-label')).toBeNull()
    expect(requests).toHaveLength(before)
  })

  it('sees nothing of the one before where the page names no users', async () => {
    answers.set(INITIATE, () => json(job({})))
    answers.set(EVENTS, (token) => (token === 'Bearer anna' ? stream(DONE) : problem(404, 'job_not_found')))
    setHaulierToken('anna')
    const { main, status } = shown(put({ 'file-id': '70000' }))
    main.click()
    await vi.waitFor(() => expect(status.textContent).toContain('annas.pdf'))
    setHaulierToken('bert')
    expect(status.textContent).not.toContain('annas.pdf')
    await vi.waitFor(() => expect(main.textContent).toBe('Download'))
  })

  it('does not get the link that the one before asked for', async () => {
    let release: (response: Response) => void = () => undefined
    answers.set(EVENTS, () => stream(DONE))
    answers.set(RESULT, () => new Promise((resolve) => (release = resolve)))
    const links = followed()
    setHaulierToken('anna', { user: 'anna' })
    const { main } = shown(put({ 'job-id': JOB }))
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    later()
    main.click()
    await vi.waitFor(() => expect(calls(RESULT)).toBe(1))
    setHaulierToken('bert', { user: 'bert' })
    release(json({ job_id: JOB, download_url: 'https://store.example/annas.pdf?signed' }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(links).toEqual([])
  })

  it('is none when the token of the same one is renewed', async () => {
    const told: string[] = []
    answers.set(EVENTS, () => stream(DONE))
    answers.set(RESULT, () => problem(404, 'job_not_found'))
    setHaulierToken('old', { user: 'anna' })
    const element = put({ 'job-id': JOB })
    element.addEventListener('haulier-completed', () => told.push('completed'))
    const { main } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    setHaulierToken('new', { user: 'anna' })
    later()
    main.click()
    await vi.waitFor(() => expect(requests.at(-1)?.token).toBe('Bearer new'))
    expect([calls(EVENTS), told]).toEqual([1, ['completed']])
  })
})

describe('what goes wrong', () => {
  it('with a start after a cancel is told', async () => {
    answers.set(EVENTS, () => stream(job({ status: 'cancelled', version: 3 })))
    answers.set(INITIATE, () => json(job({})))
    const element = put({ 'file-id': '70000' })
    element.token = 'secret'
    const { main, status } = shown(element)
    main.click()
    await vi.waitFor(() => expect(main.textContent).toBe('Start again'))
    answers.set(INITIATE, () => problem(403, 'not_allowed'))
    later()
    main.click()
    await vi.waitFor(() => expect(status.textContent).toBe('Because of not_allowed.'))
    expect(status.classList.contains('bad')).toBe(true)
    expect(calls(`POST /v1/download/retry/${JOB}`)).toBe(0)
  })

  it('with a cancel is told', async () => {
    answers.set(EVENTS, () => stream(job({ status: 'processing', version: 2 })))
    answers.set(CANCEL, () => problem(403, 'forbidden'))
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { cancel, status, spoken } = shown(element)
    await vi.waitFor(() => expect(cancel.hidden).toBe(false))
    cancel.click()
    await vi.waitFor(() => expect(status.textContent).toBe('You may not do this.'))
    expect(spoken.textContent).toBe('The file is being prepared. You may not do this.')
  })

  it('with the following leaves a way on', async () => {
    answers.set(INITIATE, () => json(job({})))
    answers.set(EVENTS, () => problem(401, 'unauthenticated'))
    const element = put({ 'file-id': '70000' })
    element.token = 'secret'
    const { main, status } = shown(element)
    main.click()
    await vi.waitFor(() => expect(main.textContent).toBe('Try again'))
    answers.set(EVENTS, () => stream(job({ status: 'processing', progress: 7, version: 2 })))
    later()
    main.click()
    await vi.waitFor(() => expect(status.textContent).toBe('7 %'))
    expect(calls(INITIATE)).toBe(1)
  })

  it.each([
    ['file-id', '70000', 'Try again', 'false'],
    ['job-id', JOB, 'Save file', 'true'],
  ])('with a file that is gone has no dead end (%s)', async (name, value, label, isDisabled) => {
    answers.set(INITIATE, () => json(job({})))
    answers.set(EVENTS, () => stream(DONE))
    answers.set(RESULT, () => problem(410, 'artefact_expired'))
    const element = put({ [name]: value })
    element.token = 'secret'
    const { main, status } = shown(element)
    main.click()
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    later()
    main.click()
    await vi.waitFor(() => expect(status.textContent).toBe('The file has expired.'))
    expect([main.textContent, main.getAttribute('aria-disabled')]).toEqual([label, isDisabled])
  })
})

describe('people who hear the page', () => {
  it('are told states and no places, and which file each button is of', async () => {
    answers.set(EVENTS, () => stream(job({ queue_position: 3 }), job({ queue_position: 2 })))
    const element = put({ 'job-id': JOB, label: 'Photos' })
    element.token = 'secret'
    const { main, cancel, bar, status, spoken } = shown(element)
    await vi.waitFor(() => expect(status.textContent).toBe('Waiting, number 2 in the queue'))
    expect(spoken.textContent).toBe('The file is waiting to be prepared.')
    const names = [main, cancel, bar].map((each) => each.getAttribute('aria-label'))
    expect(names).toEqual(['Preparing…: Photos', 'Cancel: Photos', 'Photos'])
  })

  it('are not told what an earlier visit left behind', async () => {
    answers.set(EVENTS, () => stream(DONE))
    const element = put({ 'job-id': JOB })
    element.token = 'secret'
    const { main, spoken } = shown(element)
    await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
    expect(spoken.textContent).toBe('')
  })

  it('press one button with a held Enter key, and not the next', () => {
    const held = new KeyboardEvent('keydown', { key: 'Enter', repeat: true, bubbles: true, cancelable: true })
    shown(put({ 'file-id': '70000' })).cancel.dispatchEvent(held)
    expect(held.defaultPrevented).toBe(true)
  })
})

it('two quick clicks save a file once', async () => {
  answers.set(EVENTS, () => stream(DONE))
  answers.set(RESULT, () => json({ job_id: JOB, download_url: 'https://store.example/a.zip?signed' }))
  const links = followed()
  const element = put({ 'job-id': JOB })
  element.token = 'secret'
  const { main } = shown(element)
  await vi.waitFor(() => expect(main.textContent).toBe('Save file'))
  later()
  main.click()
  main.click()
  await vi.waitFor(() => expect(links).toHaveLength(1))
  expect(calls(RESULT)).toBe(1)
})

it('an element that was moved listens to its job once', async () => {
  answers.set(EVENTS, () => stream(job({ status: 'processing', version: 2 })))
  const element = put({ 'job-id': JOB })
  element.remove()
  document.body.append(element)
  element.setAttribute('label', 'Photos')
  element.setAttribute('params', '{}')
  setHaulierToken('t', { user: 'of a moved element' })
  await vi.waitFor(() => expect(shown(element).cancel.hidden).toBe(false))
  expect(calls(EVENTS)).toBe(1)
})

it('properties that were set before the module came are heard', async () => {
  class Late extends HaulierDownload {}
  const element = document.createElement('haulier-late') as HaulierDownload
  Object.assign(element, { token: 'secret', user: 'anna', messages: { download: 'Get it' } })
  element.setAttribute('file-id', '70000')
  element.setAttribute('base-url', 'https://api.example')
  document.body.append(element)
  customElements.define('haulier-late', Late)
  customElements.upgrade(element)
  expect(shown(element).main.textContent).toBe('Get it')
  expect([element.token, element.user, Object.hasOwn(element, 'token')]).toEqual(['secret', 'anna', false])
})
