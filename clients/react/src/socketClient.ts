import {
  isTerminal,
  type DownloadClient,
  type FollowOptions,
  type HaulierClient,
  type JobStatus,
  type LiveSocket,
  type SocketState,
} from '@haulier/client'

/** How long an unused socket is kept for the next component. */
const LINGER_MS = 1_000

/** A client whose `follow` listens on one WebSocket, and falls back to the client's own where the server has none. */
export class SocketClient implements DownloadClient {
  readonly baseUrl: string
  readonly clock: HaulierClient['clock']
  readonly initiate: HaulierClient['initiate']
  readonly status: HaulierClient['status']
  readonly cancel: HaulierClient['cancel']
  readonly retry: HaulierClient['retry']
  readonly #client: HaulierClient
  #socket: LiveSocket | undefined
  #users = 0
  #closing: ReturnType<typeof setTimeout> | undefined

  constructor(client: HaulierClient) {
    this.#client = client
    this.baseUrl = client.baseUrl
    this.clock = client.clock
    this.initiate = client.initiate.bind(client) as HaulierClient['initiate']
    this.status = client.status.bind(client) as HaulierClient['status']
    this.cancel = client.cancel.bind(client)
    this.retry = client.retry.bind(client)
  }

  async *follow(jobId: string, options: FollowOptions = {}): AsyncGenerator<JobStatus, void, undefined> {
    const { signal, onTransport } = options
    const latest = new Latest<JobStatus>()
    const socket = this.#take()
    const onState = (state: SocketState) => {
      // 'sse' is what a client calls news that come by themselves.
      if (state === 'open') onTransport?.('sse')
      if (state === 'waiting') onTransport?.('offline')
      if (state === 'closed') latest.end()
    }
    const onAbort = () => latest.fail(signal?.reason)
    const stops = [
      socket.onState(onState),
      socket.subscribe(jobId, (job) => latest.put(job), (error) => latest.fail(error)),
      () => signal?.removeEventListener('abort', onAbort),
      () => this.#give(),
    ]
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    onState(socket.state)
    try {
      for (let job = await latest.next(); job; job = await latest.next()) {
        yield job
        if (isTerminal(job.status)) return
      }
    } finally {
      for (const stop of stops) stop()
    }
    yield* this.#client.follow(jobId, options)
  }

  #take(): LiveSocket {
    clearTimeout(this.#closing)
    this.#users += 1
    if (!this.#socket) this.#socket = this.#client.connect()
    return this.#socket
  }

  /** A socket that was refused stays as it is until nobody uses it: each job falls back at once. */
  #give(): void {
    this.#users -= 1
    if (this.#users > 0) return
    this.#closing = setTimeout(() => {
      this.#socket?.close()
      this.#socket = undefined
    }, LINGER_MS)
  }
}

/** Hands over the newest value; one that nobody fetched in time is replaced. */
class Latest<T> {
  #value: T | undefined
  #error: { reason: unknown } | undefined
  #ended = false
  #wake: () => void = () => undefined

  put(value: T): void {
    this.#value = value
    this.#wake()
  }

  fail(reason: unknown): void {
    this.#error ??= { reason }
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** undefined after the end. */
  async next(): Promise<T | undefined> {
    for (;;) {
      if (this.#error) throw this.#error.reason
      const value = this.#value
      this.#value = undefined
      if (value !== undefined || this.#ended) return value
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
