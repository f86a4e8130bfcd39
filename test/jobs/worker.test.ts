import t from 'tap'
import { startWorker } from '../../src/jobs/worker.ts'

/** A machine that sleeps until it is woken, and says for how long it was asked to. */
function sleeper() {
  const slept: { ms: number; wake: () => void }[] = []
  return {
    slept,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        slept.push({ ms, wake: resolve })
        if (signal?.aborted) reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
  }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))
const silent = { error: () => {} }

t.test('works without a pause while there is work, then rests', async (t) => {
  const system = sleeper()
  let left = 5
  const worker = startWorker({
    name: 'w',
    intervalMs: 700,
    system,
    log: silent,
    work: async () => left-- > 0
  })
  await turns()
  t.equal(left, -1)
  t.same(
    system.slept.map(({ ms }) => ms),
    [700]
  )
  left = 2
  system.slept[0]?.wake()
  await turns()
  t.equal(left, -1, 'and looks again after its rest')
  await worker.stop()
})

t.test('a poke ends the rest', async (t) => {
  const system = sleeper()
  let looks = 0
  const worker = startWorker({
    name: 'w',
    intervalMs: 700,
    system,
    log: silent,
    work: async () => {
      looks++
      return false
    }
  })
  await turns()
  worker.poke()
  await turns()
  t.equal(looks, 2)
  await worker.stop()
})

t.test('a poke while it looks in vain makes it look once more', async (t) => {
  const system = sleeper()
  const found = Promise.withResolvers<boolean>()
  let looks = 0
  const worker = startWorker({
    name: 'w',
    intervalMs: 700,
    system,
    log: silent,
    work: () => {
      looks++
      return looks === 1 ? found.promise : Promise.resolve(false)
    }
  })
  worker.poke()
  found.resolve(false)
  await turns()
  t.equal(looks, 2)
  await worker.stop()
})

t.test('a failure is logged, rested upon and tried again', async (t) => {
  const system = sleeper()
  const failures: object[] = []
  let looks = 0
  const worker = startWorker({
    name: 'inbox',
    intervalMs: 700,
    system,
    log: { error: (fields) => failures.push(fields) },
    work: async () => {
      looks++
      throw new Error('boom')
    }
  })
  await turns()
  t.match(failures, [{ job: 'inbox', err: { message: 'boom' } }])
  t.equal(looks, 1)
  system.slept[0]?.wake()
  await turns()
  t.equal(looks, 2)
  await worker.stop()
})

t.test('works on as many pieces at once as it may', async (t) => {
  const gate = Promise.withResolvers<boolean>()
  let atOnce = 0
  const worker = startWorker({
    name: 'w',
    intervalMs: 700,
    concurrency: 3,
    system: sleeper(),
    log: silent,
    work: () => {
      atOnce++
      return gate.promise
    }
  })
  await turns()
  t.equal(atOnce, 3)
  gate.resolve(false)
  await worker.stop()
})

t.test('stops when the pieces in hand are done, and begins no other', async (t) => {
  const gate = Promise.withResolvers<boolean>()
  let [looks, isStopped] = [0, false]
  const worker = startWorker({
    name: 'w',
    intervalMs: 700,
    system: sleeper(),
    log: silent,
    work: () => {
      looks++
      return gate.promise
    }
  })
  const stopped = worker.stop().then(() => {
    isStopped = true
  })
  await turns()
  t.equal(isStopped, false)
  gate.resolve(true)
  await stopped
  t.equal(looks, 1)
})
