import t from 'tap'
import { realSystem, type System } from '../../src/core/system.ts'
import { createLeases } from '../../src/database/leases.ts'
import { every } from '../../src/jobs/every.ts'
import { engines, openTestEngine } from '../support/database.ts'

/** A machine whose sleepers wake when the test says so. */
function sleepySystem(random = () => 0.5): System & { sleepers: { ms: number; wake: () => void }[] } {
  const sleepers: { ms: number; wake: () => void }[] = []
  return {
    sleepers,
    now: () => 0,
    random,
    id: () => 'me',
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = {
          ms,
          wake: () => {
            sleepers.splice(sleepers.indexOf(sleeper), 1)
            resolve()
          }
        }
        const abort = () => {
          if (sleepers.includes(sleeper)) sleepers.splice(sleepers.indexOf(sleeper), 1)
          reject(signal?.reason)
        }
        sleepers.push(sleeper)
        if (signal?.aborted) abort()
        else signal?.addEventListener('abort', abort, { once: true })
      })
  }
}

/** Leases in memory; a name in `elsewhere` is held by another replica. */
function fakeLeases() {
  const events: string[] = []
  const elsewhere = new Set<string>()
  let epoch = 0
  return {
    events,
    elsewhere,
    take: async (name: string, holder: string) => {
      if (elsewhere.has(name)) return undefined
      events.push(`take ${name} for ${holder}`)
      return ++epoch
    },
    renew: async (name: string, epoch: number) => {
      events.push(`renew ${name} ${epoch}`)
      return !elsewhere.has(name)
    },
    release: async (name: string, epoch: number) => {
      events.push(`release ${name} ${epoch}`)
    }
  }
}

function start({
  run,
  system = sleepySystem()
}: {
  run: (epoch: number, signal: AbortSignal) => Promise<void>
  system?: ReturnType<typeof sleepySystem>
}) {
  const leases = fakeLeases()
  const logged: { phrase: string; fields: object }[] = []
  const log = { error: (fields: object, phrase: string) => logged.push({ phrase, fields }) }
  const job = every({ name: 'sweep', intervalMs: 1000, leaseMs: 300, run, leases, system, log })
  return { job, system, leases, logged }
}

/** Lets everything go on that needs no clock. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

t.test('runs at start, then every interval', async (t) => {
  const epochs: number[] = []
  const { job, system } = start({ run: async (epoch) => void epochs.push(epoch) })
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    await settle()
    t.same(epochs, expected)
    t.same(
      system.sleepers.map(({ ms }) => ms),
      [1000]
    )
    system.sleepers[0]?.wake()
  }
  await job.stop()
})

t.test('spreads by a tenth to either side', async (t) => {
  for (const [random, ms] of [
    [0, 900],
    [0.999_999, 1100]
  ] as const) {
    const { job, system } = start({ run: async () => {}, system: sleepySystem(() => random) })
    await settle()
    t.equal(Math.round(system.sleepers[0]?.ms ?? 0), ms)
    await job.stop()
  }
})

t.test('never overlaps itself, and owes one run for any number of pokes during one', async (t) => {
  const runs: PromiseWithResolvers<void>[] = []
  const { job } = start({
    run: () => {
      const run = Promise.withResolvers<void>()
      runs.push(run)
      return run.promise
    }
  })
  await settle()
  for (let i = 0; i < 3; i++) job.poke()
  await settle()
  t.equal(runs.length, 1)
  runs[0]?.resolve()
  await settle()
  t.equal(runs.length, 2)
  runs[1]?.resolve()
  await settle()
  t.equal(runs.length, 2)
  job.poke()
  await settle()
  t.equal(runs.length, 3, 'a poke wakes a job that waits')
  runs[2]?.resolve()
  await job.stop()
})

t.test('survives a run that fails and says so', async (t) => {
  const { job, system, leases, logged } = start({
    run: async () => {
      throw new Error('no luck')
    }
  })
  await settle()
  t.match(logged, [{ phrase: 'job failed', fields: { job: 'sweep', err: { message: 'no luck' } } }])
  t.same(leases.events, ['take sweep for me', 'release sweep 1'])
  system.sleepers[0]?.wake()
  await settle()
  t.equal(logged.length, 2)
  await job.stop()
})

t.test('leaves the work to another replica and takes it over when that has stopped', async (t) => {
  let runs = 0
  const { job, system, leases } = start({ run: async () => void runs++ })
  await settle()
  leases.elsewhere.add('sweep')
  system.sleepers[0]?.wake()
  await settle()
  t.equal(runs, 1)
  leases.elsewhere.delete('sweep')
  system.sleepers[0]?.wake()
  await settle()
  t.equal(runs, 2)
  await job.stop()
})

t.test('renews its lease while it runs and tells the run when it is lost', async (t) => {
  const run = Promise.withResolvers<void>()
  const signals: AbortSignal[] = []
  const { job, system, leases } = start({
    run: (_, signal) => {
      signals.push(signal)
      return run.promise
    }
  })
  await settle()
  t.same(
    system.sleepers.map(({ ms }) => ms),
    [100]
  )
  system.sleepers[0]?.wake()
  await settle()
  t.same(leases.events, ['take sweep for me', 'renew sweep 1'])
  t.notOk(signals[0]?.aborted)

  leases.elsewhere.add('sweep')
  system.sleepers[0]?.wake()
  await settle()
  t.ok(signals[0]?.aborted)
  run.resolve()
  await job.stop()
})

t.test('stopping tells the run, waits for it and releases the lease', async (t) => {
  const run = Promise.withResolvers<void>()
  const { job, system, leases } = start({
    run: async (_, signal) => {
      signal.addEventListener('abort', () => leases.events.push('told'))
      await run.promise
      leases.events.push('done')
    }
  })
  await settle()
  const stopped = job.stop().then(() => leases.events.push('stopped'))
  await settle()
  t.same(leases.events, ['take sweep for me', 'told'])
  run.resolve()
  await stopped
  t.same(leases.events, ['take sweep for me', 'told', 'done', 'release sweep 1', 'stopped'])
  t.same(system.sleepers, [], 'no sleeper is left')
})

t.test('stopping ends the wait between runs', async (t) => {
  const { job, system } = start({ run: async () => {} })
  await settle()
  t.equal(system.sleepers.length, 1)
  await job.stop()
  t.equal(system.sleepers.length, 0)
})

for (const kind of engines) {
  t.test(`of two replicas on ${kind} one works at a time`, async (t) => {
    const leases = createLeases((await openTestEngine(t, kind)).db)
    const enough = Promise.withResolvers<void>()
    const epochs: number[] = []
    let working = 0
    let together = 0
    const run = async (epoch: number) => {
      together = Math.max(together, ++working)
      if (epochs.push(epoch) === 20) enough.resolve()
      await settle()
      working -= 1
    }
    const log = { error: (fields: object) => t.fail('a run failed', fields) }
    const replicas = ['a', 'b'].map(() =>
      every({ name: 'sweep', intervalMs: 1, run, leases, system: realSystem, log })
    )
    await enough.promise
    await Promise.all(replicas.map((replica) => replica.stop()))
    t.equal(together, 1)
    t.same(
      epochs,
      epochs.toSorted((a, b) => a - b)
    )
  })
}
