import { expect, it } from 'vitest'
import { Memory } from '../src/memory.js'
import { FakeClock, FakeStorage } from './fakes.js'

it('remembers the jobs of 500 files, and forgets those noted longest ago', async () => {
  const [clock, storage] = [new FakeClock(), new FakeStorage()]
  storage.setItem('haulier:old', JSON.stringify({ job: 'of an older version of this package' }))
  storage.setItem('haulier:own', 'of the page itself')
  storage.setItem('other', JSON.stringify({ job: 'x' }))
  const memories = Array.from({ length: 501 }, (_, number) => new Memory(storage, String(number), clock))
  for (const memory of memories) {
    await memory.startKey('start')
    memory.remember('a')
    await clock.advance(1)
  }
  const kept = () => memories.filter((memory) => memory.job()).length
  expect([kept(), memories[0]?.job(), memories[1]?.job()]).toEqual([500, undefined, 'a'])
  expect(['haulier:old', 'haulier:own', 'other'].map((name) => storage.getItem(name) !== null)).toEqual([false, true, true])
  // Noted again: it is not the one noted longest ago any more.
  memories[1]?.remember('b')
  await clock.advance(1)
  new Memory(storage, 'new', clock).remember('c')
  expect([kept(), memories[1]?.job(), memories[2]?.job()]).toEqual([499, 'b', undefined])
})

it('remembers in a storage that does not tell its names', () => {
  const texts = new Map<string, string>()
  const storage = {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => void texts.set(name, text),
    removeItem: (name: string) => void texts.delete(name),
  }
  new Memory(storage, 'a', new FakeClock()).remember('job')
  expect(new Memory(storage, 'a', new FakeClock()).job()).toBe('job')
})
