import {
  isTerminal,
  type DownloadClient,
  type FollowOptions,
  type HaulierClient,
  type HaulierError,
  type JobStatus,
  type LiveSocket,
  type SocketState,
} from '@haulier/client'

/** How long an unused socket is kept for the next component. */
const LINGER_MS = 1_000
/** How long no WebSocket is tried after one that did not come about. */
const BLOCKED_MS = 60_000

/**
 * A client whose `follow` listens on one WebSocket, and falls back to the client's own where there is none: the server
 * has none, a proxy does not let it through, or it broke and did not come back at once.
 */
export class SocketClient implements DownloadClient {
  readonly baseUrl: string
  readonly user: string
  readonly clock: HaulierClient['clock']
  readonly initiate: HaulierClient['initiate']
  readonly status: HaulierClient['status']
  readonly cancel: HaulierClient['cancel']
  readonly retry: HaulierClient['retry']
  readonly #client: HaulierClient
  #socket: LiveSocket | undefined
  #users = 0
  #failures = 0
  #opened = false
  #blockedUntil = 0
  #closing: ReturnType<typeof setTimeout> | undefined

  constructor(client: HaulierClient) {
    this.#client = client
    this.baseUrl = client.baseUrl
    this.user = client.user
    this.clock = client.clock
    this.initiate = client.initiate.bind(client) as HaulierClient['initiate']
    this.status = client.status.bind(client) as HaulierClient['status']
    this.cancel = client.cancel.bind(client)
    this.retry = client.retry.bind(client)
  }

  async *follow(jobId: string, options: FollowOptions = {}): AsyncGenerator<JobStatus, void, undefined> {
    if (this.clock.now() < this.#blockedUntil) return yield* this.#client.follow(jobId, options)
    const { signal, onTransport } = options
    const latest = new Latest<JobStatus>()
    const socket = this.#take()
    const onState = (state: SocketState) => {
      // 'sse' is what a client calls news that come by themselves.
      if (state === 'open') onTransport?.('sse')
      if (state === 'waiting') onTransport?.('offline')
      if (state === 'closed' || this.clock.now() < this.#blockedUntil) latest.end()
    }
    // What else is refused here, such as one job too many, may work the other way.
    const onError = (error: HaulierError) => (error.code === 'job_not_found' ? latest.fail(error) : latest.end())
    const onAbort = () => latest.fail(signal?.reason)
    const stops = [
      socket.onState(onState),
      socket.subscribe(jobId, (job) => latest.put(job), onError),
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
    this.#socket ??= this.#connect()
    return this.#socket
  }

  #connect(): LiveSocket {
    const socket = this.#client.connect()
    this.#failures = 0
    this.#opened = false
    socket.onState((state) => {
      if (state === 'open') {
        this.#opened = true
        this.#failures = 0
      }
      // One that worked is given a second try: servers restart.
      if (state === 'waiting' && ++this.#failures > (this.#opened ? 1 : 0)) {
        this.#blockedUntil = this.clock.now() + BLOCKED_MS
      }
    })
    return socket
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
