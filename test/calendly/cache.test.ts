import t from 'tap'
import { createCache } from '../../src/calendly/cache.ts'

class Refused extends Error {}

function openCache({ maxEntries = 10 } = {}) {
  const clock = { time: 1_000_000 }
  const cache = createCache<{ version: number }>({
    maxEntries,
    freshMs: 1_000,
    staleMs: 10_000,
    mayCover: (error) => !(error instanceof Refused),
    now: () => clock.time
  })
  let version = 0
  const load = async () => ({ version: ++version })
  return { cache, clock, load }
}

const failing = (error: Error) => async () => {
  throw error
}

t.test('an answer is served without asking until it is no longer fresh', async (t) => {
  const { cache, clock, load } = openCache()
  t.same(await cache.get('a', load), { value: { version: 1 }, at: 1_000_000, stale: false })
  clock.time += 999
  t.same(await cache.get('a', load), { value: { version: 1 }, at: 1_000_000, stale: false })
  clock.time += 1
  t.same(await cache.get('a', load), { value: { version: 2 }, at: 1_001_000, stale: false })
})

t.test('when asking fails, the old answer is served, marked, until the stale limit', async (t) => {
  const { cache, clock, load } = openCache()
  await cache.get('a', load)
  clock.time += 10_000
  t.same(await cache.get('a', failing(new Error('down'))), {
    value: { version: 1 },
    at: 1_000_000,
    stale: true
  })
  clock.time += 1
  await t.rejects(cache.get('a', failing(new Error('down'))), { message: 'down' })
})

t.test('a refusal is never covered, and what it contradicts is forgotten', async (t) => {
  const { cache, clock, load } = openCache()
  await cache.get('a', load)
  clock.time += 5_000
  await t.rejects(cache.get('a', failing(new Refused())))
  await t.rejects(cache.get('a', failing(new Error('down'))), { message: 'down' })
})

t.test('a thousand askers at once are one load', async (t) => {
  const { cache, load } = openCache()
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => cache.get('a', load)))
  t.ok(answers.every(({ value }) => value.version === 1))
})

t.test('one failing load fails those who wait for it and nobody after them', async (t) => {
  const { cache, load } = openCache()
  const waiting = [cache.get('a', failing(new Error('down'))), cache.get('a', load)]
  for (const each of waiting) await t.rejects(each, { message: 'down' })
  t.match(await cache.get('a', load), { value: { version: 1 } })
})

t.test('who wants it fresh neither gets a remembered answer nor one that was asked for before', async (t) => {
  const { cache, load } = openCache()
  await cache.get('a', load)
  t.match(await cache.get('a', load, { fresh: true }), { value: { version: 2 } })
  const early = Promise.withResolvers<{ version: number }>()
  const waiting = cache.get('a', () => early.promise, { fresh: true })
  t.match(await cache.get('a', load, { fresh: true }), { value: { version: 3 } })
  early.resolve({ version: 0 })
  t.match(await waiting, { value: { version: 0 } })
  t.match(await cache.get('a', load), { value: { version: 3 } }, 'the later answer is the one remembered')
})

t.test('what is dropped is asked for again, even if it was being loaded', async (t) => {
  const { cache, load } = openCache()
  const early = Promise.withResolvers<{ version: number }>()
  const waiting = cache.get('a 1', () => early.promise)
  await cache.get('b 1', load)
  cache.drop('a ')
  early.resolve({ version: 0 })
  await waiting
  t.match(await cache.get('a 1', load), { value: { version: 2 } })
  t.match(await cache.get('b 1', load), { value: { version: 1 } }, 'others stay')
})

t.test('it holds no more than it may', async (t) => {
  const { cache, load } = openCache({ maxEntries: 2 })
  for (const key of ['a', 'b', 'c']) await cache.get(key, load)
  t.match(await cache.get('c', load), { value: { version: 3 } })
  t.match(await cache.get('a', load), { value: { version: 4 } })
})
