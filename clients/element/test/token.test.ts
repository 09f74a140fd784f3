import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import '../src/index.js'
import type { HaulierDownload } from '../src/index.js'
import { answers, cleaned, EVENTS, fresh, INITIATE, job, JOB, json, later, problem, put, requests, RESULT, shown, stream } from './page.js'

const RUNNING = job({ status: 'processing', progress: 40, version: 3 })
const DONE = job({ status: 'completed', version: 9, file_name: 'annas.pdf' })

beforeEach(fresh)
afterEach(cleaned)

const asked = (call: string) => requests.filter(({ method, url }) => `${method} ${new URL(url).pathname}` === call)

/** An element that shows Anna's running job, and the phases that it tells from now on. */
async function running() {
  answers.set(EVENTS, () => stream(RUNNING))
  const element = document.createElement('haulier-download') as HaulierDownload
  Object.assign(element, { token: 'old', user: 'anna' })
  element.setAttribute('base-url', 'https://api.example')
  element.setAttribute('job-id', JOB)
  document.body.append(element)
  await vi.waitFor(() => expect(element.dataset.phase).toBe('processing'))
  const phases: unknown[] = []
  element.addEventListener('haulier-status', () => phases.push(element.dataset.phase))
  return { element, phases }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 50))

describe('a token of an element', () => {
  it('is renewed for the same user, and the job goes on', async () => {
    const { element, phases } = await running()
    answers.set(RESULT, () => problem(404, 'job_not_found'))
    answers.set(`DELETE /v1/download/cancel/${JOB}`, () => json({ job_id: JOB, status: 'cancelled' }))
    element.token = 'new'
    element.token = 'newer'
    await turn()
    expect([phases, asked(EVENTS).length, element.token]).toEqual([[], 1, 'newer'])
    shown(element).cancel.click()
    await vi.waitFor(() => expect(requests.some(({ method, token }) => method === 'DELETE' && token === 'Bearer newer')).toBe(true))
  })

  it('that is set again changes nothing, whoever the user is', async () => {
    const { element, phases } = await running()
    element.token = 'old'
    element.user = undefined
    await vi.waitFor(() => expect(element.dataset.phase).toBe('processing'))
    const before = asked(EVENTS).length
    phases.length = 0
    element.token = 'old'
    await turn()
    expect([phases, asked(EVENTS).length]).toEqual([[], before])
  })

  it('of a user without a name begins anew', async () => {
    answers.set(EVENTS, () => stream(RUNNING))
    const element = put({ 'job-id': JOB })
    element.token = 'one'
    await vi.waitFor(() => expect(element.dataset.phase).toBe('processing'))
    element.token = 'other'
    expect(element.dataset.phase).toBe('starting')
  })

  it('begins anew when the one before was refused', async () => {
    answers.set(EVENTS, (token) => (token === 'Bearer good' ? stream(RUNNING) : problem(401, 'unauthenticated')))
    const element = put({ 'job-id': JOB })
    Object.assign(element, { user: 'anna', token: 'bad' })
    await vi.waitFor(() => expect(element.state.error).toBeDefined())
    element.token = 'good'
    await vi.waitFor(() => expect(element.dataset.phase).toBe('processing'))
  })
})

describe('another user of an element', () => {
  it.each([['user', 'token'], ['token', 'user']] as const)('sees nothing of the one before (%s first)', async (...order) => {
    answers.set(INITIATE, () => json(job({})))
    answers.set(EVENTS, (token) => (token === 'Bearer anna' ? stream(DONE) : problem(404, 'job_not_found')))
    const element = put({ 'file-id': '70000' })
    Object.assign(element, { user: 'anna', token: 'anna' })
    const { main, status } = shown(element)
    main.click()
    await vi.waitFor(() => expect(status.textContent).toContain('annas.pdf'))
    for (const name of order) element[name] = 'bert'
    expect([main.textContent, status.textContent]).toEqual(['Download', ''])
    later()
    main.click()
    await vi.waitFor(() => expect(asked(INITIATE)).toHaveLength(2))
    expect(asked(INITIATE).map(({ token }) => token)).toEqual(['Bearer anna', 'Bearer bert'])
  })

  it.each([['user', 'token'], ['token', 'user']] as const)('starts nothing that the one before asked for (%s first)', async (...order) => {
    answers.set(INITIATE, () => problem(503, 'unavailable'))
    const element = put({ 'file-id': '70000' })
    Object.assign(element, { user: 'anna', token: 'anna' })
    shown(element).main.click()
    await vi.waitFor(() => expect(asked(INITIATE)).toHaveLength(1))
    for (const name of order) element[name] = 'bert'
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(asked(INITIATE).filter(({ token }) => token !== 'Bearer anna')).toEqual([])
  })
})
