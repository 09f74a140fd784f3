import { describe, expect, it } from 'vitest'
import { EVENTS, FakeStream, settled, STATUS } from './fakes.js'
import { DONE, looks, RUNNING, setUp } from './following.js'

describe('in a hidden tab', () => {
  it('does not poll, and looks at once when it is shown again', async () => {
    const { server, clock, document, follow } = setUp({ transports: ['poll'] })
    server.onEach(STATUS, ...looks(RUNNING))
    follow()
    await clock.advance(3_000)
    const before = server.asked.length
    document.become('hidden')
    await clock.advance(600_000)
    expect(server.asked).toHaveLength(before)
    document.become('visible')
    await settled()
    expect(server.asked).toHaveLength(before + 1)
  })

  it('looks once even when it was never shown', async () => {
    const { server, clock, document, follow } = setUp({ transports: ['poll'] })
    document.become('hidden')
    server.onEach(STATUS, ...looks(RUNNING))
    const seen = follow()
    await clock.advance(60_000)
    expect(seen.got).toHaveLength(1)
    expect(server.asked).toHaveLength(1)
  })

  it('gives its stream back after five seconds, and opens it when it is shown again', async () => {
    const { server, clock, document, follow } = setUp()
    const [first, second] = [new FakeStream(), new FakeStream()]
    server.onEach(EVENTS, first.handler, second.handler)
    const seen = follow()
    await settled()
    first.tell(RUNNING)
    document.become('hidden')
    await clock.advance(4_900)
    expect(server.asked[0]?.signal.aborted).toBe(false)
    await clock.advance(100)
    expect(server.asked[0]?.signal.aborted).toBe(true)
    await clock.advance(600_000)
    expect(server.asked).toHaveLength(1)
    document.become('visible')
    await settled()
    second.tell(DONE)
    await settled()
    expect(seen.ended).toBe(true)
  })
})
