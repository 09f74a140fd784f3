import { spawn, type ChildProcess } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OWN = fileURLToPath(new URL('../../../../.venv/bin/python', import.meta.url))
const PYTHON = process.env.HAULIER_PYTHON ?? OWN

/** Files of these tests: quick ones, ones that nobody waits for, and ones that fail. */
const CATALOGUE = `
[[rule]]
ids = "71000-71099"
preparer = "simulate"
file_name = "quick-{file_id}.bin"
params = { seconds = 1.0, size_bytes = 2000, stages = ["collecting", "binding"] }
[[rule]]
ids = "71100-71199"
preparer = "simulate"
params = { seconds = 120 }
[[rule]]
ids = "71200-71299"
preparer = "simulate"
params = { seconds = 0.2, permanent_failure = true }
`

export const installed = existsSync(PYTHON) || process.env.HAULIER_PYTHON !== undefined

/** A whole Haulier, as a user starts it, in a folder of its own. */
export class Installation {
  readonly #home = mkdtempSync(join(tmpdir(), 'haulier-ts-'))
  readonly #environment: NodeJS.ProcessEnv
  readonly #secret = randomBytes(32).toString('hex')
  #process: ChildProcess | undefined
  url = ''

  constructor() {
    const catalogue = join(this.#home, 'catalogue.toml')
    writeFileSync(catalogue, CATALOGUE)
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('HAULIER_'))
    this.#environment = {
      ...Object.fromEntries(kept),
      HAULIER_CATALOGUE: catalogue,
      HAULIER_GRACE_S: '0.5',
      HAULIER_JWT_SECRET: this.#secret,
      HAULIER_LOG_FORMAT: 'json',
    }
  }

  async start(): Promise<void> {
    const port = await freePort()
    this.url = `http://127.0.0.1:${port}`
    const log = openSync(join(this.#home, 'up.log'), 'a')
    const words = ['-m', 'haulier', 'up', '--home', join(this.#home, 'home'), '--port', String(port)]
    this.#process = spawn(PYTHON, words, { env: this.#environment, stdio: ['ignore', log, log] })
    for (let looked = 0; !(await this.#ready()); looked += 1) {
      if (looked > 300 || this.#process.exitCode !== null) throw new Error(readFileSync(join(this.#home, 'up.log'), 'utf8'))
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  token(user: string): string {
    const claims = { sub: user, role: 'premium', exp: Math.floor(Date.now() / 1000) + 3600 }
    const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`
  }

  /** Ctrl-C, and what does not end by that is killed. */
  async stop(): Promise<void> {
    const started = this.#process
    if (started && started.exitCode === null) {
      const ended = new Promise((resolve) => started.once('exit', resolve))
      started.kill('SIGINT')
      const killing = setTimeout(() => started.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(killing)
    }
    rmSync(this.#home, { recursive: true, force: true })
  }

  async #ready(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).status === 200
    } catch {
      return false
    }
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
