import { describe, expect, it } from 'vitest'
import { EventParser, type ServerEvent } from '../src/eventParser.js'

function whole(text: string): ServerEvent[] {
  return new EventParser().push(text)
}

describe('the event parser', () => {
  it('reads fields with and without the space, and joins lines of data', () => {
    expect(whole('event: status\nid:7\ndata: one\ndata:two\ndata:  three\n\n')).toEqual([
      { type: 'status', id: '7', data: 'one\ntwo\n three' },
    ])
  })

  it('takes LF, CR and CRLF as line ends, mixed', () => {
    expect(whole('data: a\r\rdata: b\r\n\r\ndata: c\n\n').map((event) => event.data)).toEqual(['a', 'b', 'c'])
  })

  it('ignores comments, unknown fields, and events without data', () => {
    expect(whole(': \n\n:heartbeat\n\nnope: 1\nevent: x\n\ndata: a\n\n')).toEqual([{ type: 'message', id: '', data: 'a' }])
  })

  it('keeps the last id for later events, and no id with a NUL', () => {
    const events = whole('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n')
    expect(events.map((event) => event.id)).toEqual(['1', '1', ''])
  })

  it('tells an empty line of data, and drops what the end cuts off', () => {
    expect(whole('data\n\ndata: lost\n')).toEqual([{ type: 'message', id: '', data: '' }])
  })

  it('notes digits of retry only', () => {
    const parser = new EventParser()
    parser.push('retry: 2000\nretry: 5 s\n\n')
    expect(parser.retryMs).toBe(2000)
  })

  it('does not end an event early when a CRLF is cut in two', () => {
    const parser = new EventParser()
    expect(parser.push('data: a\r')).toEqual([])
    expect(parser.push('\ndata: b\r')).toEqual([])
    expect(parser.push('\n\r')).toEqual([{ type: 'message', id: '', data: 'a\nb' }])
    expect(parser.push('\n')).toEqual([])
  })

  it('refuses a line without end', () => {
    const parser = new EventParser()
    expect(() => {
      for (let piece = 0; piece < 100; piece += 1) parser.push('x'.repeat(100_000))
    }).toThrow('too long')
  })

  it('says the same however the bytes are cut', () => {
    const random = seeded(20261125)
    for (let round = 0; round < 300; round += 1) {
      const { text, events } = stream(random)
      const bytes = new TextEncoder().encode(`${random() < 0.5 ? '\ufeff' : ''}${text}`)
      const decoder = new TextDecoder()
      const parser = new EventParser()
      const got: ServerEvent[] = []
      for (let start = 0; start < bytes.length; ) {
        const end = Math.min(bytes.length, start + 1 + Math.floor(random() * (random() < 0.5 ? 3 : 40)))
        got.push(...parser.push(decoder.decode(bytes.subarray(start, end), { stream: true })))
        start = end
      }
      expect(got, JSON.stringify(text)).toEqual(events)
    }
  })
})

/** A random stream, and the events that were put into it. */
function stream(random: () => number): { text: string; events: ServerEvent[] } {
  const pick = <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)] as T
  const word = () => pick('a', 'ä€😀', ' {"a": 1}', ':', 'data: x', '', 'x'.repeat(50))
  const events: ServerEvent[] = []
  let text = ''
  let id = ''
  const put = (line: string) => {
    // An empty line's LF behind a CR would be the second half of that line end.
    text += line + (line === '' && text.endsWith('\r') ? pick('\r', '\r\n') : pick('\n', '\r\n', '\r'))
  }
  for (let index = Math.floor(random() * 6); index >= 0; index -= 1) {
    if (random() < 0.3) put(`:${word()}`)
    if (random() < 0.2) put(`unknown: ${word()}`)
    const type = pick('', 'status', 'ready')
    if (type) put(`event: ${type}`)
    if (random() < 0.5) {
      id = String(Math.floor(random() * 100))
      put(`id: ${id}`)
    }
    const lines = Array.from({ length: Math.floor(random() * 4) }, word)
    for (const line of lines) put(`data: ${line}`)
    put('')
    if (lines.length) events.push({ type: type || 'message', id, data: lines.join('\n') })
  }
  return { text, events }
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296
    return state / 4294967296
  }
}
