import t from 'tap'
import { createCache } from '../../src/calendly/cache.ts'
import { CalendlyError } from '../../src/calendly/errors.ts'
import { AppError } from '../../src/core/errors.ts'

const start = 1_000_000
const minute = 60_000
const nobody = { title: '', message: '', details: [] }
const down = (retryAfterMs?: number) =>
  new AppError('calendly_unavailable', 'down', retryAfterMs === undefined ? {} : { retryAfterMs })
const answered = (status: number) =>
  new AppError('calendly_unavailable', `answered ${status}`, { cause: new CalendlyError(status, nobody) })

type Version = { version: number }

/** A cache of one kind, fresh for a second, and a Calendly whose answers count up unless they are held or fail. */
function openCache({ freshMs = 1_000, maxEntries = 10, maxBytes = 10_000 } = {}) {
  const clock = { time: start }
  const now = () => clock.time
  const cache = createCache({ maxEntries, maxBytes, now })
  const { read, createShelf } = cache.kind('versions', freshMs)
  const shelf = createShelf<string, Version>()
  let loads = 0
  let outcome: Promise<Version> | Error | undefined

  async function load(): Promise<Version> {
    const version = ++loads
    if (outcome instanceof Error) throw outcome
    return outcome ?? { version }
  }

  return {
    cache,
    clock,
    drop: shelf.drop,
    loads: () => loads,
    counts: () => cache.report().kinds.versions,
    get: async (key = 'a', fresh = false) => {
      const at = now()
      return read(shelf.at(key), async () => ({ value: await load(), at }), fresh)
    },
    /** What every load comes to from now on; without an argument, the next version. */
    set: (next?: Promise<Version> | Error) => {
      outcome = next
    },
    hold: () => {
      const { promise, resolve, reject } = Promise.withResolvers<Version>()
      outcome = promise
      return { answer: (version: number) => resolve({ version }), fail: reject }
    }
  }
}

/** Lets what is under way come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

t.test('an answer is served without asking until it is no longer fresh', async (t) => {
  const { get, clock, loads, counts } = openCache()
  t.same(await get(), { value: { version: 1 }, at: start, stale: false })
  clock.time += 999
  t.same(await get(), { value: { version: 1 }, at: start, stale: false })
  t.equal(loads(), 1)
  t.match(counts(), { hits: 1, misses: 1, stale: 0 })
})

t.test(
  'for two minutes an old answer is served at once, while one asker’s question gets a newer',
  async (t) => {
    const { get, clock, loads, counts, hold } = openCache()
    await get()
    clock.time += 2 * minute - 1
    const later = hold()
    for (let n = 0; n < 100; n++) {
      t.same(await get(), { value: { version: 1 }, at: start, stale: true })
    }
    t.equal(loads(), 2)
    later.answer(2)
    await settle()
    t.same(await get(), { value: { version: 2 }, at: clock.time, stale: false })
    t.match(counts(), { hits: 1, misses: 1, stale: 100, coalesced: 0 })
  }
)

t.test('after two minutes an asker waits for a newer answer', async (t) => {
  const { get, clock } = openCache()
  await get()
  clock.time += 2 * minute
  t.match(await get(), { value: { version: 2 }, stale: false })
})

t.test('a failure in the background hurts nobody, and asking is tried again after a second', async (t) => {
  const { get, clock, loads, set, counts } = openCache()
  await get()
  clock.time += minute
  set(down())
  const old = { value: { version: 1 }, at: start, stale: true }
  t.same(await get(), old)
  await settle()
  clock.time += 999
  t.same(await get(), old)
  await settle()
  t.equal(loads(), 2)
  clock.time += 1
  t.same(await get(), old)
  await settle()
  t.equal(loads(), 3)
  t.match(counts(), { stale: 2, negative: 1 })
})

t.test('when asking fails, the old answer is served, marked, for ten minutes', async (t) => {
  const { get, clock, set } = openCache()
  await get()
  set(down())
  clock.time += 10 * minute - 1
  t.same(await get(), { value: { version: 1 }, at: start, stale: true })
  clock.time += 1_001
  await t.rejects(get(), { message: 'down' })
})

t.test('that Calendly accepts no key for now is covered as well', async (t) => {
  const { get, clock, set } = openCache()
  await get()
  set(answered(401))
  clock.time += 5 * minute
  t.match(await get(), { value: { version: 1 }, stale: true })
})

t.test('a refusal is never covered, and what it contradicts is forgotten', async (t) => {
  for (const status of [403, 404]) {
    const { get, clock, set } = openCache()
    await get()
    clock.time += 5 * minute
    set(answered(status))
    await t.rejects(get(), { message: `answered ${status}` })
    set(down())
    clock.time += 1_000
    await t.rejects(get(), { message: 'down' })
  }
})

t.test('a refusal met in the background is told to the next who ask', async (t) => {
  const { get, clock, set } = openCache()
  await get()
  clock.time += minute
  set(answered(404))
  t.match(await get(), { stale: true })
  await settle()
  await t.rejects(get(), { message: 'answered 404' })
})

t.test('a bug is not covered', async (t) => {
  const { get, clock, set } = openCache()
  await get()
  clock.time += 5 * minute
  set(new TypeError('x is not a function'))
  await t.rejects(get(), TypeError)
})

t.test('a storm of questions for what fails is one call a second', async (t) => {
  const { get, clock, loads, set, counts } = openCache()
  set(answered(404))
  for (let n = 0; n < 300; n++) {
    await t.rejects(get(), { message: 'answered 404' })
    clock.time += 10
  }
  t.equal(loads(), 3)
  t.match(counts(), { misses: 3, negative: 297 })
})

t.test('a failure is remembered no longer than Calendly asks us to wait', async (t) => {
  const { get, clock, set } = openCache()
  set(down(300))
  await t.rejects(get())
  set()
  clock.time += 299
  await t.rejects(get())
  clock.time += 1
  t.match(await get(), { value: { version: 2 } })
})

t.test('a thousand askers at once are one load', async (t) => {
  const { get, counts } = openCache()
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => get()))
  t.ok(answers.every(({ value }) => value.version === 1))
  t.match(counts(), { misses: 1, coalesced: 999 })
})

t.test('a load that fails fails everybody who waits for it, and asking goes on a second later', async (t) => {
  const { get, clock, set } = openCache()
  set(down())
  const waiting = [get(), get()]
  set()
  for (const each of waiting) await t.rejects(each, { message: 'down' })
  clock.time += 1_000
  t.match(await get(), { value: { version: 2 } })
})

t.test('who wants it fresh gets nothing remembered, neither an answer nor a failure', async (t) => {
  const { get, set, clock } = openCache()
  await get()
  t.match(await get('a', true), { value: { version: 2 } })
  set(down())
  await t.rejects(get('b'), { message: 'down' })
  set()
  t.match(await get('b', true), { value: { version: 4 } })
  t.match(await get('b'), { value: { version: 4 }, at: clock.time })
})

t.test(
  'who wants it fresh does not wait for what was asked before, and the later answer stays',
  async (t) => {
    const { get, set, hold } = openCache()
    const early = hold()
    const waiting = get()
    set()
    t.match(await get('a', true), { value: { version: 2 } })
    early.answer(1)
    t.match(await waiting, { value: { version: 1 } })
    t.match(await get(), { value: { version: 2 } })
  }
)

t.test('who wants it fresh while Calendly is down gets the old answer, marked', async (t) => {
  const { get, set, clock } = openCache()
  await get()
  set(down())
  clock.time += 10
  t.same(await get('a', true), { value: { version: 1 }, at: start, stale: true })
})

t.test('what is dropped while it is loaded goes to those who waited, and is not remembered', async (t) => {
  const { get, set, hold, drop } = openCache()
  const early = hold()
  const waiting = get()
  set()
  drop()
  t.match(await get(), { value: { version: 2 } }, 'who asks later does not wait for it')
  early.answer(1)
  t.match(await waiting, { value: { version: 1 } })
  t.match(await get(), { value: { version: 2 } })
})

t.test('what is dropped while it is revalidated does not come back', async (t) => {
  const { get, set, clock, hold, drop, cache } = openCache()
  await get()
  clock.time += minute
  const early = hold()
  t.match(await get(), { stale: true })
  drop()
  early.answer(2)
  await settle()
  t.match(cache.report(), { entries: 0, bytes: 0 })
  set()
  t.match(await get(), { value: { version: 3 }, stale: false })
})

t.test('a failure of what was dropped meanwhile is forgotten with it', async (t) => {
  const { get, set, hold, drop } = openCache()
  const early = hold()
  const waiting = get()
  drop()
  early.fail(down())
  await t.rejects(waiting)
  set()
  t.match(await get(), { value: { version: 2 } })
})

t.test('everything can be forgotten', async (t) => {
  const { get, cache } = openCache()
  const users = cache.remember<Version>('users', 1_000)
  await get()
  await users.get('me', async () => ({ version: 7 }))
  cache.forget()
  t.match(cache.report(), { entries: 0, bytes: 0, evicted: 0 })
  t.match(await get(), { value: { version: 2 } })
  t.same(await users.get('me', async () => ({ version: 8 })), { version: 8 })
})

t.test('no more entries are kept than allowed, over all kinds, and those in use stay', async (t) => {
  const { get, cache, loads } = openCache({ maxEntries: 3 })
  const users = cache.remember<Version>('users', 1_000)
  await get('a')
  await get('b')
  await users.get('me', async () => ({ version: 0 }))
  await get('a')
  await get('c')
  t.match(cache.report(), { entries: 3, evicted: 1 })
  t.equal(loads(), 3)
  await get('a')
  t.equal(loads(), 3, 'what was used of late is there')
  await get('b')
  t.equal(loads(), 4, 'what was not is gone')
})

t.test('no more bytes are kept than allowed, and nothing that alone is too large', async (t) => {
  const { get, set, cache } = openCache({ maxBytes: 60 })
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    await get(key)
    t.ok(cache.report().bytes <= 60)
  }
  t.same(cache.report(), {
    entries: 4,
    bytes: 4 * '{"version":1}'.length,
    evicted: 1,
    kinds: { versions: { hits: 0, stale: 0, misses: 5, coalesced: 0, negative: 0 } }
  })
  const large = Object.assign({ version: 6 }, { text: 'x'.repeat(60) })
  set(Promise.resolve(large))
  t.match(await get('f'), { value: large })
  set()
  t.match(await get('f'), { value: { version: 7 } }, 'it was not kept')
})

t.test('an answer that grew counts with its new size', async (t) => {
  const { get, set, cache } = openCache()
  await get()
  const text = 'x'.repeat(100)
  set(Promise.resolve(Object.assign({ version: 2 }, { text })))
  await get('a', true)
  t.equal(cache.report().bytes, JSON.stringify({ version: 2, text }).length)
})

t.test('a clock that was set back keeps nothing fresh for longer, nor a failure', async (t) => {
  const { get, clock, loads, set } = openCache()
  await get()
  clock.time -= 60 * minute
  await get()
  t.equal(loads(), 2)
  set(down())
  await t.rejects(get('b'))
  clock.time -= 60 * minute
  set()
  t.match(await get('b'), { value: { version: 4 } })
})

t.test('a kind that is never fresh is asked for each time, and covers failures all the same', async (t) => {
  const { get, clock, set } = openCache({ freshMs: 0 })
  await get()
  t.match(await get(), { value: { version: 2 }, stale: false })
  clock.time += 10
  t.match(await get(), { value: { version: 3 }, stale: false })
  set(down())
  t.match(await get(), { value: { version: 3 }, stale: true })
})
