import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A proxy between client and server that does what some do. */
export class Proxy {
  /** Holds every answer back until it is complete, as one that knows no streams. */
  holdsBack = false
  readonly asked: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #down = false
  url = ''

  constructor(readonly target: string) {
    this.#server = createServer((asked, answer) => this.#pass(asked, answer))
    this.#server.on('connection', (socket) => {
      if (this.#down) return socket.destroy()
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      return undefined
    })
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks every connection off. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Takes no connection any more, until `up`. */
  down(): void {
    this.#down = true
    this.cut()
  }

  up(): void {
    this.#down = false
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    this.asked.push(`${asked.method} ${asked.url}`)
    const onward = request(this.target + asked.url, { method: asked.method, headers: asked.headers }, (reply) => {
      const send = () => answer.writeHead(reply.statusCode ?? 502, reply.headers)
      if (!this.holdsBack) {
        send()
        reply.pipe(answer)
        return
      }
      const parts: Buffer[] = []
      reply.on('data', (part: Buffer) => parts.push(part))
      reply.on('end', () => {
        send()
        answer.end(Buffer.concat(parts))
      })
    })
    onward.on('error', () => answer.destroy())
    answer.on('close', () => onward.destroy())
    asked.pipe(onward)
  }
}
