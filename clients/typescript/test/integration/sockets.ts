import { afterAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { HaulierClient, type JobStatus, type LiveSocket, type Ready, type SocketState } from '../../src/index.js'
import type { Haulier } from '../../../testing/haulier.js'
import { occupied } from './seats.js'

const [QUICK, LONG] = [71000, 71100]

/** The tests of the WebSocket; they share the server of those that call this. */
export function socketTests(installation: Haulier): void {
  describe('a socket', () => tests(installation))
}

function tests(installation: Haulier): void {
  const sockets: LiveSocket[] = []

  afterAll(() => sockets.forEach((socket) => socket.close()))

  function connected(user: string): { client: HaulierClient; socket: LiveSocket; opened: WebSocket[] } {
    const opened: WebSocket[] = []
    class Kept extends WebSocket {
      constructor(url: string) {
        super(url)
        opened.push(this)
      }
    }
    const client = new HaulierClient({
      baseUrl: installation.url,
      token: () => installation.token(user),
      WebSocket: Kept as unknown as typeof globalThis.WebSocket,
    })
    const socket = client.connect()
    sockets.push(socket)
    return { client, socket, opened }
  }

  it('tells a job until its end', async () => {
    const { client, socket } = connected('socket-one')
    const free = await occupied(client)
    const { job_id } = await client.initiate(QUICK)
    const seen: JobStatus[] = []
    await new Promise<void>((resolve, reject) => {
      socket.subscribe(job_id, (job) => {
        if (seen.push(job) === 1) free().catch(reject)
        if (job.status === 'completed') resolve()
      })
    })
    expect(seen.length).toBeGreaterThan(1)
    expect(unsigned(seen.at(-1))).toEqual(unsigned(await client.status(job_id)))
  })

  it('tells all jobs, to each who asks, and those to come', async () => {
    const { client, socket } = connected('socket-all')
    const { job_id } = await client.initiate(LONG)
    for (const _ of [1, 2]) {
      const seen = await ready(socket)
      expect(seen.map((message) => ('type' in message ? 'ready' : message.job_id)).slice(-2)).toEqual([job_id, 'ready'])
    }
    const next = new Promise<string>((resolve) => {
      socket.subscribeAll((message) => {
        if (!('type' in message) && message.job_id !== job_id) resolve(message.job_id)
      })
    })
    const other = await client.initiate(QUICK)
    expect(await next).toBe(other.job_id)
    await client.cancel(job_id)
  })

  it('tells that a job is unknown, or another’s', async () => {
    const other = await connected('socket-owner').client.initiate(LONG)
    const { socket } = connected('socket-stranger')
    const code = await new Promise<string>((resolve) => {
      socket.subscribe(other.job_id, () => undefined, (error) => resolve(error.code))
    })
    expect(code).toBe('job_not_found')
  })

  it('goes on after its connection broke', async () => {
    const { client, socket, opened } = connected('broken')
    const states: SocketState[] = []
    socket.onState((state) => states.push(state))
    const { job_id } = await client.initiate(LONG)
    let cut = false
    const last = await new Promise<JobStatus>((resolve) => {
      socket.subscribe(job_id, (job) => {
        if (job.status === 'processing' && !cut) {
          cut = true
          opened[0]?.terminate()
          void client.cancel(job_id)
        }
        if (job.status === 'cancelled') resolve(job)
      })
    })
    expect(last.job_id).toBe(job_id)
    expect(states).toEqual(['open', 'waiting', 'connecting', 'open'])
  })

  it('is refused with a wrong token', async () => {
    const client = new HaulierClient({
      baseUrl: installation.url,
      token: 'wrong',
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    const socket = client.connect()
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.onState((state, reason) => state === 'closed' && resolve(reason))
    })
    expect(error).toMatchObject({ code: 'unauthenticated' })
  })
}

/** Without the URL, which is signed anew now and then. */
function unsigned(job: JobStatus | undefined): object {
  return { ...job, download_url: undefined, download_url_expires_at: undefined }
}

/** What a new listener to all jobs is told until all that live were told. */
function ready(socket: LiveSocket): Promise<(JobStatus | Ready)[]> {
  return new Promise((resolve) => {
    const seen: (JobStatus | Ready)[] = []
    const stop = socket.subscribeAll((message) => {
      seen.push(message)
      if (!('type' in message)) return
      stop()
      resolve(seen)
    })
  })
}
