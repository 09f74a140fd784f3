import { expect, it } from 'vitest'
import { english, german, HaulierError, NetworkError, originalReason, spokenText, statusText, type Told } from '../src/index.js'
import { duration, size } from '../src/units.js'
import { job } from './fakes.js'

const NOW = Date.parse('2026-11-25T10:00:00.000Z')
const MISSING = new HaulierError({ code: 'source_missing', status: 0, detail: 'It does not exist: x.' })
const OWN = new HaulierError({ code: 'code_of_a_plug_in', status: 0, detail: 'The moon is too bright.' })
const told = (fields: Partial<Told>): Told => ({ phase: 'processing', connection: 'live', job: job(), ...fields })

it('tells a state in words, and how long it still takes', () => {
  const processing = job({ progress: 40, estimated_completion: '2026-11-25T10:00:41.000Z' })
  expect(statusText(told({ job: processing }), english, NOW)).toBe('40 %, about 40 seconds left')
  expect(statusText(told({ job: processing }), german, NOW + 60_000)).toBe('40 %')
  expect(statusText(told({ phase: 'queued', job: job({ queue_position: 3 }) }), german, NOW)).toBe('In der Warteschlange, Platz 3')
  const ready = job({ file_name: 'a.zip', file_size: 3_400_000 })
  expect(statusText(told({ phase: 'completed', job: ready }), english, NOW)).toBe('Ready · a.zip · 3.4 MB')
})

it('says nothing to a screen reader that goes on changing', () => {
  const words = [1, 2].map((place) => spokenText(told({ phase: 'queued', job: job({ queue_position: place }) }), english))
  expect(new Set(words)).toEqual(new Set(['The file is waiting to be prepared.']))
  expect(spokenText(told({ phase: 'failed', error: MISSING }), english)).toBe('The file could not be prepared. It does not exist: x.')
})

it('gives reasons in German where the code is known, and keeps the server’s sentence', () => {
  const failed = told({ phase: 'failed', error: MISSING, connection: 'idle' })
  expect(statusText(failed, german, NOW)).toBe('Die Quelle der Datei gibt es nicht mehr.')
  expect(originalReason(failed, german)).toBe('It does not exist: x.')
  expect([statusText(failed, english, NOW), originalReason(failed, english)]).toEqual(['It does not exist: x.', undefined])
  const unknown = told({ phase: 'failed', error: OWN })
  expect([statusText(unknown, german, NOW), originalReason(unknown, german)]).toEqual(['The moon is too bright.', undefined])
})

const PROGRAMMERS = ['artefact_expired', 'forbidden', 'idempotency_key_reused', 'invalid_request', 'job_not_found', 'job_not_ready', 'no_token', 'not_found', 'unauthenticated']

it.each(PROGRAMMERS)('tells visitors in their words what the server says to programmers (%s)', (code) => {
  const detail = 'A valid bearer token is needed: /file_id must be a whole number.'
  const refused = told({ phase: 'idle', error: new HaulierError({ code, status: 400, detail }) })
  const words = [english, german].map((messages) => statusText(refused, messages, NOW))
  expect(words).not.toContain(detail)
  expect(new Set(words).size).toBe(2)
  expect(originalReason(refused, english)).toBe(detail)
})

it('says in both languages that nobody answered', () => {
  const silent = told({ phase: 'idle', error: new NetworkError('The server cannot be reached.') })
  expect(statusText(silent, english, NOW)).toBe('The server did not answer. Please try again.')
  expect(statusText(silent, german, NOW)).toContain('hat nicht geantwortet')
})

it('rounds durations and sizes as people do', () => {
  const durations = [1, 41, 58, 3_500, 3_590, 9_000].map((seconds) => duration(seconds, 'en'))
  expect(durations).toEqual(['5 seconds', '40 seconds', '1 minute', '58 minutes', '1 hour', '3 hours'])
  const sizes = [0, 1, 999, 2_500_000, 20_000_000_000].map((bytes) => size(bytes, 'en'))
  expect(sizes).toEqual(['0 bytes', '1 byte', '999 bytes', '2.5 MB', '20 GB'])
})
