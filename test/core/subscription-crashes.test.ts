import t from 'tap'
import { engines, openTestEngine } from '../support/database.ts'
import { Crash, callbackUrl, type Guarded, guardOver, keyed } from './support/guarded.ts'

const slotUrl = new RegExp(`^${callbackUrl}/[0-9a-f]{32}$`)

const opened = await Promise.all(
  engines.map(async (kind) => ({ kind, engine: await openTestEngine(t, kind) }))
)

for (const { kind, engine } of opened) {
  t.test(`wherever it is killed, the next look ends it, and none is missing (${kind})`, async (t) => {
    const disturb: Record<string, (guarded: Guarded) => Promise<void>> = {
      disabled: async ({ calendly }) => calendly.change({ state: 'disabled', retryStartedAt: 1 }),
      deleted: async ({ calendly }) => {
        calendly.hooks.length = 0
      },
      incomplete: async ({ calendly }) => calendly.change({ events: ['invitee.created'] })
    }
    for (const [name, happen] of Object.entries(disturb)) {
      let crashes = 0
      for (let stop = 1; ; stop++) {
        const guarded = await guardOver(engine)
        const { calendly, check, slotStates, slotReads } = guarded
        calendly.add()
        await check()
        await happen(guarded)
        const wasActive = calendly.active().length
        if (!(await crashAt(guarded, stop, check))) break
        crashes++
        await check()
        const what = `${name}, step ${stop}`
        t.equal(calendly.active().length, 1, what)
        t.equal(calendly.hooks.length, 1, what)
        t.ok(Math.min(1, ...calendly.leastActive) >= Math.min(1, wasActive), `${what}: never none`)
        t.ok((await guarded.gaps()).length >= 1, `${what}: the gap is looked for`)
        t.equal((await guarded.eventTypes()).filter((type) => type === 'restored').length, 1, what)
        const live = (await slotStates()).filter((state) => state === 'live').length
        t.ok(live <= 1, `${what}: one slot at most is live`)
        const { slot } = (await guarded.report()) ?? {}
        if (slot) t.ok(await slotReads.find(slot), `${what}: its key is there`)
      }
      t.ok(crashes >= 6, `${name}: ${crashes} places to die at`)
    }
  })

  t.test(`wherever a rotation is killed, its retry ends it (${kind})`, async (t) => {
    for (const isLookedAfter of [false, true]) {
      for (let stop = 1; ; stop++) {
        const guarded = await guardOver(engine)
        const { calendly, check, rotate, slotStates, report } = guarded
        calendly.add()
        await check()
        const execution = keyed()
        if (!(await crashAt(guarded, stop, () => rotate(execution)))) break
        if (isLookedAfter) await check()
        await rotate(execution)
        const what = `step ${stop}${isLookedAfter ? ' and a look' : ''}`
        t.equal(calendly.hooks.length, 1, what)
        t.match(calendly.hooks[0]?.callbackUrl, slotUrl, what)
        t.ok(Math.min(1, ...calendly.leastActive) === 1, `${what}: never none`)
        t.equal((await report())?.slot, execution.subject, what)
        t.equal((await slotStates()).filter((state) => state === 'live').length, 1, what)
        t.same(await guarded.eventTypes(), [], `${what}: nobody needs to be told`)
      }
    }
  })
}

/** Runs until its nth step and stops before that or, the next time, after it. False when it has no such step. */
async function crashAt(guarded: Guarded, stop: number, run: () => Promise<unknown>): Promise<boolean> {
  let steps = 0
  guarded.setStep(async (_name, take) => {
    const isLast = ++steps >= Math.ceil(stop / 2)
    if (isLast && stop % 2 === 1) throw new Crash()
    const taken = await take()
    if (isLast) throw new Crash()
    return taken
  })
  const crashed = await run().then(
    () => false,
    (error: unknown) => {
      if (error instanceof Crash) return true
      throw error
    }
  )
  guarded.setStep((_name, take) => take())
  return crashed
}
