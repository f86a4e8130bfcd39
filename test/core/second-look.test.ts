import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { EventFact, InviteeFact } from '../../src/core/calendly.ts'
import { createFacts } from '../../src/core/facts.ts'
import { createSecondLook } from '../../src/core/second-look.ts'
import { aBooking, anEvent, anInvitee, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const { transact, reads } = await openTables(t)
let bookings = 0
const bookedAt = tuesday - 7 * 86_400_000
const isOver = () => new Promise((resolve) => setImmediate(resolve))

/** A confirmed booking, and a Calendly that says what `told` says of it. */
async function doubtful(changes: Partial<Booking> = {}) {
  const name = `E${++bookings}`
  const event = { ...anEvent(name), hosts: [{ user: `host-${name}`, name: 'Hedy Host' }] }
  const clock = { now: bookedAt + 10 * minuteMs }
  const told: { invitee?: InviteeFact; event?: EventFact; error?: Error } = {
    invitee: anInvitee(name),
    event
  }
  const asked: string[] = []
  const warnings: string[] = []
  const looks: Promise<unknown>[] = []
  const booking = aBooking({
    id: `bkg_${name}`,
    status: 'confirmed',
    hosts: event.hosts,
    location: event.location,
    calendly: { invitee: anInvitee(name).uri, event: event.uri },
    updatedAt: bookedAt,
    ...changes
  })
  await transact(async (tables) => {
    await tables.bookings.insert(booking)
    await tables.invitees.put('default', {
      uri: anInvitee(name).uri,
      bookingId: booking.id,
      state: 'active'
    })
    const { hosts, startTime, endTime } = booking
    const time = { hosts: hosts.map(({ user }) => user), startTime, endTime }
    await tables.claims.takeFree({ tenantId: 'default', ownerId: booking.id, session: booking.id, ...time })
  })
  const { doubt } = createSecondLook({
    system: { now: () => clock.now },
    transact: (work) => {
      const done = transact(work)
      looks.push(done)
      return done
    },
    reads: {
      find: (...wanted) => {
        const found = reads.find(...wanted)
        looks.push(found)
        return found
      }
    },
    facts: createFacts({ system: fakeSystem(clock.now) }),
    calendly: {
      findInvitee: async (uri) => {
        asked.push(uri)
        if (told.error) throw told.error
        return told.invitee
      },
      findEvent: async () => told.event
    },
    log: { warn: (_fields, phrase) => warnings.push(phrase) }
  })
  return {
    clock,
    told,
    asked,
    warnings,
    booking,
    /** What Calendly says instead. */
    tell(invitee: Partial<InviteeFact>, changes: Partial<EventFact> = {}) {
      told.invitee = anInvitee(name, invitee)
      told.event = { ...event, ...changes }
    },
    /** Resolves once the look is over, if there is one. */
    async doubt(asOf = clock.now) {
      looks.length = 0
      doubt('default', [booking.id], asOf)
      for (let known = -1; known !== looks.length; ) {
        known = looks.length
        await Promise.allSettled(looks)
        await isOver()
      }
    },
    now: () => reads.find('default', booking.id)
  }
}

const canceled = { canceledBy: 'Ada Example', cancelerType: 'invitee', createdAt: tuesday - 60 * minuteMs }

t.test('a cancellation that was missed is made up for', async (t) => {
  const { booking, tell, doubt, now } = await doubtful()
  tell({ status: 'canceled', cancellation: canceled }, { status: 'canceled', cancellation: canceled })
  await doubt()
  t.match(await now(), { status: 'canceled', cancellation: { canceledBy: 'Ada Example' } })
  const hosts = booking.hosts.map(({ user }) => user)
  t.same(await reads.claimsBetween('default', hosts, tuesday, tuesday + minuteMs), [])
})

t.test('a canceled event cancels whoever is in it, whatever is said of the invitee', async (t) => {
  const { tell, doubt, now } = await doubtful()
  tell({}, { status: 'canceled', cancellation: { ...canceled, cancelerType: 'host' } })
  await doubt()
  t.match(await now(), { status: 'canceled', cancellation: { cancelerType: 'host' } })
})

t.test('a booking that stands is asked for once a minute', async (t) => {
  const { clock, doubt, asked, now } = await doubtful()
  for (const afterMs of [0, 1, 30_000, 29_998]) {
    clock.now += afterMs
    await doubt()
  }
  t.equal(asked.length, 1)
  clock.now += 1
  await doubt()
  t.equal(asked.length, 2)
  t.match(await now(), { status: 'confirmed', version: 1 })
})

t.test('what Calendly offered before it knew of the booking says nothing', async (t) => {
  const { clock, doubt, asked } = await doubtful()
  await doubt(bookedAt)
  clock.now += 1_000
  await doubt(bookedAt - 1)
  t.same(asked, [])
  clock.now += 1_000
  await doubt(bookedAt + 1)
  t.equal(asked.length, 1)
})

t.test('only what is confirmed, one-on-one and not being changed is in doubt', async (t) => {
  const move = { kind: 'move', state: 'pending', requestedAt: bookedAt } as const
  for (const changes of [
    { status: 'unknown' },
    { status: 'canceled' },
    { isGroup: true },
    { change: move }
  ] as const) {
    const { doubt, asked } = await doubtful(changes)
    await doubt()
    t.same(asked, [], JSON.stringify(changes))
  }
})

t.test('a Calendly that is away, or does not know it, changes nothing and ends nothing', async (t) => {
  const { clock, told, doubt, now, warnings } = await doubtful()
  told.error = new Error('away')
  await doubt()
  t.same(warnings, ['doubtful booking not looked at'])
  delete told.error
  delete told.invitee
  clock.now += minuteMs
  await doubt()
  t.match(await now(), { status: 'confirmed', version: 1 })
})
