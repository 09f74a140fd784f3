/** One event of a stream, as the HTML standard's "event stream interpretation" makes it. */
export interface ServerEvent {
  type: string
  data: string
  /** The last id the stream named, with this event or an earlier one. */
  id: string
}

/** A longer line is not ours; the status of an archive of 1,000 files has about 60 KB. */
const LONGEST_LINE = 4 * 1024 * 1024

/** Reads text/event-stream from pieces of text that may end anywhere; a byte order mark is the decoder's business. */
export class EventParser {
  /** Milliseconds that the server asks to wait before connecting again. */
  retryMs: number | undefined
  #rest = ''
  #skipLineFeed = false
  #type = ''
  #data: string[] = []
  #id: string

  constructor(lastEventId = '') {
    this.#id = lastEventId
  }

  /** The events that are complete with this piece. What the stream's end cuts off is never one. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = []
    if (!piece) return events
    let start = 0
    // The second half of a CRLF that was cut in two: the line ended already.
    if (this.#skipLineFeed && piece.startsWith('\n')) start = 1
    this.#skipLineFeed = false
    const ends = /\r\n|\r|\n/g
    ends.lastIndex = start
    for (let end = ends.exec(piece); end; end = ends.exec(piece)) {
      const event = this.#line(this.#rest + piece.slice(start, end.index))
      this.#rest = ''
      if (event) events.push(event)
      start = ends.lastIndex
      this.#skipLineFeed = end[0] === '\r' && start === piece.length
    }
    this.#rest += piece.slice(start)
    if (this.#rest.length > LONGEST_LINE) throw new Error('A line of the event stream is too long.')
    return events
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const field = colon < 0 ? line : line.slice(0, colon)
    const raw = colon < 0 ? '' : line.slice(colon + 1)
    const value = raw.startsWith(' ') ? raw.slice(1) : raw
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
    return undefined
  }

  #dispatch(): ServerEvent | undefined {
    const data = this.#data
    const type = this.#type || 'message'
    this.#data = []
    this.#type = ''
    return data.length ? { type, data: data.join('\n'), id: this.#id } : undefined
  }
}
