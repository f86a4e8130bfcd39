import t from 'tap'
import { createSharing } from '../../src/core/sharing.ts'

/** Runs that end when they are told to. */
function runs() {
  const begun: PromiseWithResolvers<string>[] = []
  return {
    begun,
    run: () => {
      const ending = Promise.withResolvers<string>()
      begun.push(ending)
      return ending.promise
    }
  }
}

/** Long enough for whatever waits for nothing else. */
async function turn() {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
}

t.test('who asks while a run is under way shares the one after it', async (t) => {
  const share = createSharing<string>()
  const { begun, run } = runs()
  const first = share('a', run)
  await turn()
  const waiting = Array.from({ length: 100 }, () => share('a', run))
  await turn()
  t.equal(begun.length, 1)
  begun[0]?.resolve('first')
  t.equal(await first, 'first')
  await turn()
  t.equal(begun.length, 2, 'begun after they all asked')

  const later = share('a', run)
  begun[1]?.resolve('second')
  t.same(new Set(await Promise.all(waiting)), new Set(['second']))
  await turn()
  begun[2]?.resolve('third')
  t.equal(await later, 'third')
})

t.test('who asks in the same turn of the event loop shares one run', async (t) => {
  const share = createSharing<string>()
  const { begun, run } = runs()
  const asked = Array.from({ length: 100 }, () => share('a', run))
  await turn()
  t.equal(begun.length, 1)
  begun[0]?.resolve('for all')
  t.same(new Set(await Promise.all(asked)), new Set(['for all']))
})

t.test('who asks when none is under way has a run of their own', async (t) => {
  const share = createSharing<string>()
  const { begun, run } = runs()
  for (const word of ['once', 'again']) {
    const asked = share('a', run)
    await turn()
    begun.at(-1)?.resolve(word)
    t.equal(await asked, word)
  }
  t.equal(begun.length, 2)
})

t.test('a run that fails fails those who share it, and nobody after them', async (t) => {
  const share = createSharing<string>()
  const { begun, run } = runs()
  const first = share('a', run)
  await turn()
  const waiting = [share('a', run), share('a', run)]
  begun[0]?.reject(new Error('away'))
  await t.rejects(first, { message: 'away' })
  await turn()
  begun[1]?.resolve('back')
  t.same(await Promise.all(waiting), ['back', 'back'])
})

t.test('other keys have lines of their own', async (t) => {
  const share = createSharing<string>()
  const { begun, run } = runs()
  const asked = [share('a', run), share('b', run)]
  await turn()
  t.equal(begun.length, 2)
  begun[1]?.resolve('b')
  t.equal(await asked[1], 'b')
  begun[0]?.resolve('a')
  t.equal(await asked[0], 'a')
})
