import fc from 'fast-check'
import t from 'tap'
import { minuteMs } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'
import type { Fate } from './support/little-calendly.ts'
import { aWorld, later, old, type World } from './support/rescheduling.ts'

const numRuns = Number(process.env.FAST_CHECK_RUNS ?? 25)
t.setTimeout(60_000 + numRuns * 4_000)

const actions = [
  'cancel old',
  'cancel new',
  'move old',
  'move new',
  'tell all',
  'tell last',
  'tell backwards'
] as const
type Action = (typeof actions)[number]

const fate = fc.constantFrom<Fate>('done', 'done', 'lost', 'late', 'dropped', 'refused', 'away', 'quota')
const histories = fc.record({
  cancelFirst: fc.boolean(),
  post: fc.array(fate, { maxLength: 3 }),
  cancel: fc.array(fate, { maxLength: 3 }),
  isTaken: fc.boolean(),
  /** What happens between a write, counted from 0, and its answer. */
  meanwhile: fc.array(fc.record({ write: fc.nat(3), action: fc.constantFrom(...actions) }), { maxLength: 4 }),
  /** After how many commits the process dies. */
  death: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  order: fc.array(fc.nat(), { minLength: 12, maxLength: 12 })
})
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never

async function act({ world, tell }: World, action: Action): Promise<void> {
  const seat = world.active().find(({ event }) => event.startTime === (action.endsWith('old') ? old : later))
  if (action === 'tell all') for (const fact of [...world.told]) await tell(fact)
  if (action === 'tell backwards') for (const fact of world.told.toReversed()) await tell(fact)
  const last = world.told.at(-1)
  if (action === 'tell last' && last) await tell(last)
  if (!seat) return
  if (action.startsWith('cancel')) world.cancel(seat)
  if (action.startsWith('move')) world.move(seat, later + 240 * minuteMs)
}

/** What is true however it went. A human may be needed, but nobody is ever lied to. */
async function faultsOf(service: World, isSettled: boolean): Promise<string[]> {
  const booking = await service.read()
  const active = service.world.active()
  const claims = await service.claims()
  const told = (await service.timeline()).filter((type) => type === 'rescheduled').length
  const start = (booking.startTime - old) / minuteMs
  const isOver = booking.status !== 'needs_attention'
  const [seat] = active
  const rules: [string, boolean][] = [
    ['there is one booking', (await service.bookings()).length === 1],
    ['it is told of each move once', booking.reschedules.length === told],
    [
      'it is settled',
      !isSettled || !isOver || (booking.change === undefined && !(await service.isWaiting()))
    ],
    [
      'it is where Calendly has it, once',
      booking.status !== 'confirmed' ||
        (active.length === 1 &&
          seat?.invitee.uri === booking.calendly.invitee &&
          seat?.event.startTime === booking.startTime)
    ],
    ['its time is claimed', booking.status !== 'confirmed' || String(claims) === String([start])],
    ['canceled, it is nowhere', booking.status !== 'canceled' || active.length + claims.length === 0],
    ['whom a human is to help keeps a time', isOver || claims.length > 0]
  ]
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule)
}

t.test('a reschedule ends at one place, whatever happens and in whatever order that is told', async (t) => {
  const tables = await openTables(t)

  async function live(history: History): Promise<void> {
    const service = await aWorld(tables)
    const { world, life, reschedule, tell, settle, revive } = service
    world.fates.post = [...history.post]
    world.fates.cancel = [...history.cancel]
    if (history.isTaken) world.taken.add(later)
    let writes = 0
    world.beforeAnswer = async () => {
      const now = writes++
      for (const { write, action } of history.meanwhile) if (write === now) await act(service, action)
    }
    life.commitsLeft = history.death ?? Number.POSITIVE_INFINITY
    await reschedule({ cancelFirst: history.cancelFirst }).catch(() => {})
    revive()
    for (const pick of history.order.slice(0, 6)) {
      const fact = world.told[pick % world.told.length]
      if (fact) await tell(fact)
    }
    await settle(12)
    for (const pick of history.order.slice(6)) {
      const fact = world.told[pick % world.told.length]
      if (fact) await tell(fact)
    }
    for (const fact of [...world.told]) await tell(fact)
    await settle(80)
    const before = await service.read()
    for (const fact of world.told.toReversed()) await tell(fact)
    const after = await service.read()
    const faults = await faultsOf(service, true)
    if (before.status !== after.status || before.startTime !== after.startTime)
      faults.push('late words change nothing')
    if (faults.length === 0) return
    const { status, startTime, change } = after
    throw new Error(
      [
        ...faults,
        JSON.stringify({
          status,
          startTime: (startTime - old) / minuteMs,
          change,
          claims: await service.claims()
        }),
        world.asked.join(', '),
        (await service.timeline()).join(', '),
        JSON.stringify(world.active().map(({ event }) => (event.startTime - old) / minuteMs))
      ].join('\n')
    )
  }

  const seed = Number(process.env.FAST_CHECK_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`FAST_CHECK_SEED=${seed}`)
  await fc.assert(fc.asyncProperty(histories, live), { numRuns, seed })
  t.pass(`${numRuns} histories`)
})
