import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { setHaulierToken } from '../src/index.js'
import { answers, cleaned, EVENTS, fresh, INITIATE, JOB, json, later, problem, put, requests, shown } from './page.js'

beforeEach(fresh)
afterEach(cleaned)

const SIGN_IN = 'Your sign-in is not valid, or has ended. Please sign in again.'

/** As the server refuses it, with where the request is wrong. */
const INVALID = () =>
  json({ code: 'invalid_request', status: 400, detail: 'The request is not valid: /file_id: must be a whole number.', title: 'No' }, 400)

describe('a button that could only bring the same answer', () => {
  it('is not there for a job that is not known; who waited on it is on the reason', async () => {
    answers.set(EVENTS, () => problem(404, 'job_not_found'))
    const element = put({ 'job-id': JOB })
    shown(element).main.focus()
    element.token = 'secret'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(main.hidden).toBe(true))
    expect(status.textContent).toBe('This download does not exist, or it is not yours.')
    expect(element.shadowRoot?.activeElement).toBe(status)
  })

  it('is not there for a request that is wrong, of which visitors read no pointers', async () => {
    answers.set(INITIATE, INVALID)
    const element = put({ 'file-id': '5' })
    element.token = 'secret'
    const { main, status } = shown(element)
    main.click()
    await vi.waitFor(() => expect(main.hidden).toBe(true))
    expect(status.textContent).toBe('This cannot be asked for.')
    element.setAttribute('lang', 'de')
    expect(status.textContent).toBe('So kann das nicht angefordert werden.')
    element.setAttribute('file-id', '70000')
    expect([main.hidden, main.textContent]).toEqual([false, 'Herunterladen'])
  })

  it.each([
    ['file-id', 'x', '<haulier-download> needs a file-id (a whole number) or a job-id.'],
    ['params', '{bad', 'The attribute params of <haulier-download> is no JSON object.'],
    ['params', '[1]', 'The attribute params of <haulier-download> is no JSON object.'],
  ])('is not there where an attribute is wrong, which is named (%s=%s)', (name, value, sentence) => {
    const element = put({ 'file-id': '70000', [name]: value })
    element.token = 'secret'
    const { main, status } = shown(element)
    expect([main.hidden, status.textContent]).toEqual([true, sentence])
    expect(requests).toEqual([])
  })

  it('is not there with a token that stays refused, until there is another', async () => {
    answers.set(EVENTS, () => problem(401, 'unauthenticated'))
    setHaulierToken('wrong')
    const { main, status } = shown(put({ 'job-id': JOB }))
    await vi.waitFor(() => expect([main.hidden, status.textContent]).toEqual([true, SIGN_IN]))
    setHaulierToken('other')
    expect(main.hidden).toBe(false)
  })

  it('is there where the next token may be a better one', async () => {
    answers.set(EVENTS, () => problem(401, 'unauthenticated'))
    const element = put({ 'job-id': JOB })
    element.token = () => 'expired'
    const { main, status } = shown(element)
    await vi.waitFor(() => expect(status.textContent).toBe(SIGN_IN))
    expect([main.hidden, main.textContent]).toEqual([false, 'Try again'])
    const before = requests.length
    later()
    main.click()
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(before))
  })
})
