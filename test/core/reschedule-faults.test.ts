import t, { type Test } from 'tap'
import { minuteMs } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'
import type { Fate } from './support/little-calendly.ts'
import { aWorld, Death, later, old, type World } from './support/rescheduling.ts'

const apart = (later - old) / minuteMs
t.setTimeout(240_000)

/** What becomes of the writes in order, then all goes well; and where the booking is in the end. */
type Case = { post?: Fate[]; cancel?: Fate[]; cancelFirst?: true; isTaken?: true; end: number }
const cases: readonly Case[] = [
  { post: ['lost'], end: later },
  { post: ['dropped'], end: later },
  { post: ['late'], end: later },
  { post: ['dropped', 'lost'], end: later },
  { post: ['dropped', 'away'], end: later },
  { post: ['dropped', 'refused'], end: old },
  { post: ['dropped'], isTaken: true, end: old },
  { post: ['lost'], cancel: ['lost'], end: later },
  { cancel: ['lost'], end: later },
  { cancel: ['dropped'], end: later },
  { cancel: ['away', 'away'], end: later },
  { cancel: ['refused'], end: old },
  { cancel: ['refused', 'lost'], end: old },
  { cancel: ['refused', 'dropped'], end: old },
  { cancel: ['refused', 'away'], end: old },
  { cancelFirst: true, cancel: ['lost'], end: later },
  { cancelFirst: true, cancel: ['dropped'], end: later },
  { cancelFirst: true, cancel: ['away'], end: old },
  { cancelFirst: true, cancel: ['refused'], end: old },
  { cancelFirst: true, post: ['lost'], end: later },
  { cancelFirst: true, post: ['late'], end: later },
  { cancelFirst: true, post: ['refused', 'late'], end: old },
  { cancelFirst: true, post: ['dropped'], end: later },
  { cancelFirst: true, post: ['away'], end: later },
  { cancelFirst: true, post: ['quota', 'dropped', 'lost'], end: later },
  { cancelFirst: true, post: ['refused'], end: old },
  { cancelFirst: true, post: ['refused', 'lost'], end: old },
  { cancelFirst: true, post: ['refused', 'dropped'], end: old },
  { cancelFirst: true, post: ['refused', 'away'], end: old },
  { cancelFirst: true, isTaken: true, end: old },
  { cancelFirst: true, cancel: ['lost'], post: ['lost'], end: later },
  { cancelFirst: true, cancel: ['lost'], isTaken: true, end: old }
]

/** Two faults and a death at once are left to chance: reschedule-orders. */
const isPlain = ({ post = [], cancel = [] }: Case) => post.length + cancel.length <= 1

const nameOf = ({ end, ...how }: Case) => JSON.stringify(how).replaceAll('"', '')

/** However it went: one event at Calendly, which is the booking's, whose time is claimed, and nothing is left open. */
async function isAtOnePlace(t: Test, service: World, startTime: number, why: string): Promise<void> {
  const booking = await service.read()
  const isMoved = startTime === later
  t.match(
    {
      booking,
      claims: await service.claims(),
      isWaiting: await service.isWaiting(),
      count: (await service.bookings()).length,
      active: service.world.active().map(({ invitee, event }) => [invitee.uri, event.startTime]),
      moves: booking.reschedules.length,
      told: (await service.timeline()).filter((type) => type === 'rescheduled').length
    },
    {
      booking: { status: 'confirmed', startTime, change: undefined, resolution: undefined },
      claims: [isMoved ? apart : 0],
      isWaiting: false,
      count: 1,
      active: [[booking.calendly.invitee, startTime]],
      moves: isMoved ? 1 : 0,
      told: isMoved ? 1 : 0
    },
    why
  )
}

/** Every webhook, each more than once and in the wrong order: nothing may come of it any more. */
async function changesNothing(t: Test, { world, read, tell }: World, why: string): Promise<void> {
  const before = await read()
  for (const seat of [...world.told.toReversed(), ...world.told]) await tell(seat)
  t.match(await read(), { ...before, version: Number, updatedAt: Number, location: Object }, why)
}

t.test('a reschedule whose Calendly fails', async (t) => {
  const tables = await openTables(t)

  async function prepare({ post = [], cancel = [], isTaken }: Case): Promise<World> {
    const service = await aWorld(tables)
    service.world.fates.post = [...post]
    service.world.fates.cancel = [...cancel]
    if (isTaken) service.world.taken.add(later)
    return service
  }

  for (const one of cases) {
    t.test(`ends at one place, whatever webhooks tell and when: ${nameOf(one)}`, async (t) => {
      for (const webhooks of ['none', 'before the answer', 'twice and backwards'] as const) {
        const service = await prepare(one)
        const { world, reschedule, tell, settle } = service
        const tellAll = async () => {
          for (const seat of [...world.told]) await tell(seat)
        }
        if (webhooks === 'before the answer') world.beforeAnswer = tellAll
        const cancelFirst = one.cancelFirst ?? false
        const result = await reschedule({ cancelFirst }).catch((error: unknown) => error)
        if (webhooks === 'twice and backwards') {
          for (const seat of [...world.told, ...world.told].toReversed()) await tell(seat)
        }
        await settle(80)
        await isAtOnePlace(t, service, one.end, `${webhooks}: ${await service.timeline()}`)
        await changesNothing(t, service, `${webhooks}, and late ones`)
        if (result instanceof Error) t.equal(one.end, old, 'who is told that it failed finds it where it was')
      }
    })

    if (!isPlain(one)) continue
    t.test(`ends at one place, whenever its process dies: ${nameOf(one)}`, async (t) => {
      for (let commits = 1, isDead = true; isDead; commits++) {
        const service = await prepare(one)
        const { world, life, reschedule, tell, settle, revive, read } = service
        life.commitsLeft = commits
        const cancelFirst = one.cancelFirst ?? false
        const result = await reschedule({ cancelFirst }).catch((error: unknown) => error)
        isDead = result instanceof Death
        revive()
        if (commits % 2 === 0) for (const seat of [...world.told]) await tell(seat)
        await settle(80)
        const { startTime } = await read()
        const why = `after ${commits} commits: ${await service.timeline()}`
        await isAtOnePlace(t, service, startTime, why)
        if (!isDead) t.equal(startTime, one.end)
      }
    })
  }

  t.test(
    'is not taken for what it left before: back to a time that it had, with the answer lost',
    async (t) => {
      for (const fate of ['lost', 'dropped'] as const) {
        const { world, key, reschedule, settle, claims } = await aWorld(tables)
        await reschedule()
        key.subject = undefined
        world.fates.post = [fate]
        await reschedule({ startTime: old })
        const booking = await settle(20)
        t.match(booking, {
          status: 'confirmed',
          startTime: old,
          change: undefined,
          reschedules: { length: 2 }
        })
        t.match(world.active(), { length: 1, 0: { invitee: { uri: booking.calendly.invitee } } })
        t.same(await claims(), [0])
      }
    }
  )
})
