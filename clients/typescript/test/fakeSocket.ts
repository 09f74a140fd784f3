import { HaulierClient, type ClientOptions } from '../src/index.js'
import { answer, FakeClock, FakeServer, settled } from './fakes.js'

/** A WebSocket whose server is a test. */
export class FakeSocket {
  static made: FakeSocket[] = []
  readyState = 0
  sent: unknown[] = []
  closedWith: number | undefined
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  onerror: (() => void) | null = null
  constructor(readonly url: string) {
    FakeSocket.made.push(this)
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(code: number): void {
    this.closedWith = code
    this.readyState = 3
  }
  say(message: object): void {
    this.readyState = 1
    this.onmessage?.({ data: JSON.stringify(message) })
  }
  end(code: number): void {
    this.readyState = 3
    this.onclose?.({ code })
  }
}

/** A socket of a client, and the WebSockets that it made. */
export function setUp(options: Partial<ClientOptions> = {}) {
  const server = new FakeServer()
  const clock = new FakeClock()
  FakeSocket.made = []
  let tickets = 0
  server.on('POST /v1/tickets', () => answer({ ticket: `t${++tickets}`, expires_at: '' }))
  const client = new HaulierClient({
    baseUrl: 'https://haulier.example',
    token: 'very-secret',
    fetch: server.fetch,
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    clock,
    random: () => 0.5,
    ...options,
  })
  return { server, clock, socket: client.connect(), made: FakeSocket.made }
}

/** As `setUp`, with its first connection open. */
export async function opened() {
  const { made, ...rest } = setUp()
  await settled()
  const first = made[0] as FakeSocket
  first.say({ type: 'ready' })
  return { made, first, ...rest }
}
