import { readFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Haulier } from '../../testing/haulier.js'

const FOLDER = fileURLToPath(new URL('../../example/dist', import.meta.url))
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

/** The built example on an origin of its own that passes /v1 and /ws on; the cookie `user` says who asks. */
export class Site {
  readonly #server = createServer((asked, answer) => this.#answer(asked, answer))
  readonly #sockets = new Set<Socket>()
  url = ''

  constructor(readonly haulier: Haulier) {}

  async start(): Promise<void> {
    this.#server.on('connection', (socket) => this.#keep(socket))
    this.#server.on('upgrade', (asked, socket) => this.#upgrade(asked, socket as Socket))
    this.#server.listen(0, '127.0.0.1')
    await new Promise((resolve) => this.#server.once('listening', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #answer(asked: IncomingMessage, answer: ServerResponse): void {
    const path = asked.url?.split('?')[0] ?? '/'
    if (path.startsWith('/v1/')) return this.#passOn(asked, answer)
    if (path === '/token') {
      const user = /user=([\w-]+)/.exec(asked.headers.cookie ?? '')?.[1] ?? 'nobody'
      answer.end(this.haulier.token(user))
      return
    }
    try {
      const name = path === '/' ? '/index.html' : path
      const content = readFileSync(join(FOLDER, name))
      answer.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream' }).end(content)
    } catch {
      answer.writeHead(404).end()
    }
  }

  #passOn(asked: IncomingMessage, answer: ServerResponse): void {
    const { method, url: path, headers } = asked
    const passed = request({ host: '127.0.0.1', port: this.haulier.port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers)
      answer.flushHeaders()
      got.pipe(answer)
      got.on('error', () => answer.destroy())
    })
    passed.on('error', () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()))
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  }

  #upgrade(asked: IncomingMessage, socket: Socket): void {
    const passed = connect(this.haulier.port, '127.0.0.1', () => {
      const lines = Object.entries(asked.headers).map(([name, value]) => `${name}: ${String(value)}`)
      passed.write(`GET ${asked.url ?? ''} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      passed.pipe(socket).pipe(passed)
    })
    this.#keep(passed)
    passed.on('error', () => socket.destroy())
    socket.on('error', () => passed.destroy())
    socket.on('close', () => passed.destroy())
    passed.on('close', () => socket.destroy())
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}
