import { spawn, type ChildProcess } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PYTHON = process.env.HAULIER_PYTHON ?? fileURLToPath(new URL('../../.venv/bin/python', import.meta.url))

export const installed = existsSync(PYTHON) || process.env.HAULIER_PYTHON !== undefined

export interface HaulierOptions {
  /** Further HAULIER_ variables. */
  settings?: Record<string, string>
  /** How long quick files take, and how large they are. */
  quickSeconds?: number
  quickBytes?: number
  role?: 'free' | 'premium'
}

/** Files for tests: quick ones, ones that nobody waits for, ones that fail, and ones that outlast a start of the server. */
const catalogueOf = ({ quickSeconds, quickBytes }: Required<HaulierOptions>) => `
[[rule]]
ids = "71000-71099"
preparer = "simulate"
file_name = "quick-{file_id}.bin"
params = { seconds = ${quickSeconds}, size_bytes = ${quickBytes}, stages = ["collecting", "binding"] }
[[rule]]
ids = "71100-71199"
preparer = "simulate"
params = { seconds = 120 }
[[rule]]
ids = "71200-71299"
preparer = "simulate"
params = { seconds = 0.4, permanent_failure = true }
[[rule]]
ids = "71300-71399"
preparer = "simulate"
params = { seconds = 12 }
`

/** A whole Haulier, which can be stopped and started again with its jobs, at the same address. */
export class Haulier {
  readonly #folder = mkdtempSync(join(tmpdir(), 'haulier-test-'))
  readonly #secret = randomBytes(32).toString('hex')
  #process: ChildProcess | undefined
  readonly #options: Required<HaulierOptions>
  port = 0

  constructor(options: HaulierOptions = {}) {
    this.#options = { settings: {}, quickSeconds: 4, quickBytes: 20_000, role: 'free', ...options }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    this.port ||= await freePort()
    const catalogue = join(this.#folder, 'catalogue.toml')
    writeFileSync(catalogue, catalogueOf(this.#options))
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('HAULIER_'))
    const env = {
      ...Object.fromEntries(kept),
      HAULIER_CATALOGUE: catalogue,
      HAULIER_GRACE_S: '0.5',
      HAULIER_JWT_SECRET: this.#secret,
      ...this.#options.settings,
    }
    const log = openSync(join(this.#folder, 'up.log'), 'a')
    const words = ['-m', 'haulier', 'up', '--home', join(this.#folder, 'home'), '--port', String(this.port)]
    this.#process = spawn(PYTHON, words, { env, stdio: ['ignore', log, log] })
    for (let looked = 0; !(await this.#isReady()); looked += 1) {
      if (looked > 200 || this.#process.exitCode !== null) throw new Error(readFileSync(join(this.#folder, 'up.log'), 'utf8'))
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  token(user: string): string {
    const claims = { sub: user, role: this.#options.role, exp: Math.floor(Date.now() / 1000) + 3600 }
    const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`
  }

  /** How many jobs `user` has. */
  async jobs(user: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/v1/download/jobs`, {
      headers: { Authorization: `Bearer ${this.token(user)}` },
      signal: AbortSignal.timeout(5_000),
    })
    return ((await answer.json()) as { total: number }).total
  }

  /** Ctrl-C; what does not end by that is killed. */
  async stop(): Promise<void> {
    const started = this.#process
    this.#process = undefined
    if (!started || started.exitCode !== null) return
    const ended = new Promise((resolve) => started.once('exit', resolve))
    started.kill('SIGINT')
    const killing = setTimeout(() => started.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(killing)
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #isReady(): Promise<boolean> {
    try {
      const url = `http://127.0.0.1:${this.port}/health/ready`
      return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).status === 200
    } catch {
      return false
    }
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
