import { jittered } from './backoff.js'
import type { Settings, Transport } from './options.js'

const FIRST_BLOCK_MS = 60_000
const LONGEST_BLOCK_MS = 600_000

interface Block {
  until: number
  times: number
  /** Set aside because nothing was reachable, not because this way does not work. */
  outage: boolean
}

/** Which transport to use now: the first that is not set aside. The last one always remains. */
export class Route {
  readonly #blocks = new Map<Transport, Block>()
  #down = false

  constructor(
    readonly transports: readonly Transport[],
    readonly settings: Pick<Settings, 'clock' | 'random'>,
  ) {}

  current(): Transport {
    const now = this.settings.clock.now()
    const free = this.transports.find((transport) => (this.#blocks.get(transport)?.until ?? 0) <= now)
    return free ?? this.last
  }

  get last(): Transport {
    return this.transports[this.transports.length - 1] ?? 'poll'
  }

  /** Sets a transport aside: about a minute, doubled each time up to ten, or `ms`. */
  block(transport: Transport, options: { ms?: number | undefined; outage?: boolean } = {}): void {
    const times = (this.#blocks.get(transport)?.times ?? 0) + 1
    const { clock, random } = this.settings
    const ms = options.ms ?? jittered(Math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ** (times - 1)), random)
    this.#blocks.set(transport, { until: clock.now() + ms, times, outage: options.outage ?? false })
  }

  /** The transport brought something. After an outage those above it are tried again at once. */
  worked(transport: Transport): void {
    this.#blocks.delete(transport)
    if (!this.#down) return
    this.#down = false
    for (const [blocked, block] of this.#blocks) if (block.outage) this.#blocks.delete(blocked)
  }

  /** Not even the last transport reaches the server. */
  down(): void {
    this.#down = true
  }
}
