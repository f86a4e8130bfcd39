import { sql } from 'kysely'
import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { EventFact, InviteeFact, InviteeOutcome } from '../../src/core/calendly.ts'
import { createFacts } from '../../src/core/facts.ts'
import { createLookUp } from '../../src/core/look-up.ts'
import { createOutcomes } from '../../src/core/outcomes.ts'
import { createResolution } from '../../src/core/resolution.ts'
import { aBooking, anEvent, anInvitee, host, inviteeUri, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const later = tuesday + 60 * minuteMs
const schedule = { lookupsMs: [1_000, 5_000, 60_000], absenceMs: 15_000, attentionMs: 15 * minuteMs }
const lost: InviteeOutcome = { kind: 'ambiguous', cause: new Error('reset') }
const busy: InviteeOutcome = {
  kind: 'refused',
  refusal: { reason: 'quota', detail: 'Too many', retryAfterMs: 9_000 }
}
const taken: InviteeOutcome = { kind: 'refused', refusal: { reason: 'already_filled', detail: 'Taken' } }

type Fact = { invitee: InviteeFact; event: EventFact }

t.test('a booking whose answer was lost', async (t) => {
  const { db, transact, reads } = await openTables(t)
  t.beforeEach(async () => {
    for (const table of ['claims', 'invitees', 'booking_timeline', 'bookings']) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
  })

  /** A pending booking in a world where Calendly shows `found` and answers each POST with the next outcome. */
  async function setUp({ outcomes = [] as InviteeOutcome[], changes = {} as Partial<Booking> } = {}) {
    const system = fakeSystem(tuesday - 60 * minuteMs)
    const booking = aBooking({ isGroup: false, ...changes })
    await transact(async (tables) => {
      await tables.bookings.insert(booking, 30_000)
      await tables.claims.takeFree({
        tenantId: 'default',
        ownerId: booking.id,
        session: booking.id,
        hosts: [host],
        startTime: booking.startTime,
        endTime: booking.endTime
      })
    })
    const world = {
      found: undefined as Fact | undefined,
      isAway: false,
      /** What happens here while Calendly is being asked. */
      meanwhile: async () => {},
      posts: 0,
      asked: [] as object[],
      resumed: [] as string[],
      /** An invitee that has been moved. */
      left: undefined as InviteeFact | undefined
    }
    const calendly = {
      createInvitee: async () => {
        world.posts++
        return outcomes.shift() ?? lost
      },
      findEvent: async (uri: string) => (world.found?.event.uri === uri ? world.found.event : undefined),
      findInvitee: async (uri: string) =>
        [world.found?.invitee, world.left].find((invitee) => invitee?.uri === uri),
      listEvents: async (query: object) => {
        world.asked.push(query)
        await world.meanwhile()
        if (world.isAway) throw new Error('away')
        return world.found ? [anEvent('OTHER', { startTime: tuesday + 1 }), world.found.event] : []
      },
      listInvitees: async () => (world.found ? [anInvitee('OTHER'), world.found.invitee] : [])
    }
    const facts = createFacts({ system })
    const { resolveNext } = createResolution({
      facts,
      system,
      transact,
      lookUp: createLookUp({ calendly, schedule }),
      calendly,
      outcomes: createOutcomes({ system, transact, facts, lookupsMs: schedule.lookupsMs, calendly }),
      cancellations: {
        resume: async ({ id }) => {
          world.resumed.push(id)
        }
      },
      rescheduling: {
        resume: async (rescheduling) => {
          world.resumed.push(rescheduling.id)
          return rescheduling
        }
      }
    })
    return {
      world,
      /** Lets `ms` pass on our clock, makes it due on the database's, and resolves. */
      async after(ms: number): Promise<Booking> {
        await system.sleep(ms)
        await makeDue()
        await resolveNext()
        return read()
      },
      /** A webhook. */
      tell: ({ invitee, event }: Fact) =>
        transact((tables) => facts.apply(tables, 'default', invitee, event, 'webhook')),
      resolveNext
    }
  }
  const makeDue = () => sql`update bookings set resolve_at = now() where resolve_at is not null`.execute(db)
  async function read(): Promise<Booking> {
    const booking = await reads.find('default', 'bkg_1')
    if (!booking) throw new Error('it is gone')
    return booking
  }
  const claims = async () => (await reads.claimsBetween('default', [host], 0, later + 1)).length
  const isWaiting = async () => {
    const { rows } = await sql`select 1 from bookings where resolve_at is not null`.execute(db)
    return rows.length > 0
  }
  const ours = (changes: Partial<InviteeFact> = {}) => ({
    invitee: anInvitee('A', { tracking: { utmTerm: 'bkg_1' }, ...changes }),
    event: anEvent('A')
  })

  t.test('is left alone while its own request may still answer', async (t) => {
    const { resolveNext, world } = await setUp()
    t.equal(await resolveNext(), false)
    t.same(world.asked, [])
  })

  t.test('is looked up by e-mail and start, and confirmed when it is found', async (t) => {
    const { after, world } = await setUp()
    world.found = ours()
    t.match(await after(1_000), {
      status: 'confirmed',
      calendly: { invitee: inviteeUri('A') },
      resolution: undefined
    })
    t.match(world.asked, [{ inviteeEmail: 'ada@example.com' }])
    t.equal(world.posts, 0)
    t.equal(await isWaiting(), false)
  })

  t.test('is canceled, and its time free, when it is found canceled', async (t) => {
    const { after, world } = await setUp()
    world.found = ours({ status: 'canceled', cancellation: { cancelerType: 'host', createdAt: tuesday - 7 } })
    t.match(await after(1_000), {
      status: 'canceled',
      cancellation: { cancelerType: 'host', canceledAt: tuesday - 7 },
      resolution: undefined
    })
    t.equal(await claims(), 0)
    t.equal(await isWaiting(), false)
    t.equal(world.posts, 0)
  })

  t.test('is not taken for one that another program made for the same person and time', async (t) => {
    const { after, world } = await setUp()
    world.found = ours({ tracking: { utmTerm: 'bkg_other' } })
    t.match(await after(1_000), { status: 'unknown' })
  })

  t.test('is sent once more after two looks far enough apart have shown that it is not there', async (t) => {
    const { after, world } = await setUp({ outcomes: [{ kind: 'done', invitee: ours().invitee }] })
    await after(1_000)
    t.equal(world.posts, 0, 'one look proves nothing')
    await after(schedule.absenceMs - 1)
    t.equal(world.posts, 0, 'nor do two too close to each other')
    t.match(await after(1), { status: 'confirmed' })
    t.equal(world.posts, 1)
  })

  t.test('is sent by one of two who have seen the same absence', async (t) => {
    const { after, resolveNext, world } = await setUp()
    await after(1_000)
    // The first look outlives its lease: somebody else takes the booking and goes on with it.
    world.meanwhile = async () => {
      world.meanwhile = async () => {}
      await makeDue()
      t.equal(await resolveNext(), true)
    }
    t.match(await after(schedule.absenceMs), { status: 'unknown', resolution: { posts: 2 } })
    t.equal(world.asked.length, 3, 'both have looked')
    t.equal(world.posts, 1)
  })

  t.test('is never sent a third time', async (t) => {
    const { after, world } = await setUp()
    for (let n = 0; n < 40; n++) await after(schedule.absenceMs)
    t.equal(world.posts, 1, 'besides the first one')
    t.match(await read(), { status: 'unknown', resolution: { posts: 2 } })
  })

  t.test('is not sent again on the word of looks that failed', async (t) => {
    const { after, world } = await setUp()
    world.isAway = true
    for (let n = 0; n < 5; n++) await after(schedule.absenceMs)
    t.match(await read(), { status: 'unknown', resolution: { lookups: 5 } })
    t.equal(world.posts, 0)
  })

  t.test('is not sent again once its time has come', async (t) => {
    const { after, world } = await setUp({ changes: { startTime: tuesday - 60 * minuteMs + 20_000 } })
    await after(10_000)
    await after(schedule.absenceMs)
    t.equal(world.posts, 0)
  })

  t.test(
    'that is called taken when sent again is looked for once more before that is believed',
    async (t) => {
      const { after, world } = await setUp({ outcomes: [taken] })
      await after(1_000)
      t.match(await after(schedule.absenceMs), { status: 'unknown', resolution: { isTaken: true } })
      t.equal(await claims(), 1)
      world.found = ours()
      t.match(await after(1_000), { status: 'confirmed' }, 'it was our own first one that took it')
    }
  )

  t.test(
    'that is called taken and is nowhere to be found is rejected, and its time given back',
    async (t) => {
      const { after, world } = await setUp({ outcomes: [taken] })
      for (const ms of [1_000, schedule.absenceMs, 1_000, schedule.absenceMs]) await after(ms)
      t.match(await read(), { status: 'rejected', rejection: { code: 'slot_unavailable' } })
      t.equal(await claims(), 0)
      t.equal(world.posts, 1)
      t.equal(await isWaiting(), false)
    }
  )

  t.test('that Calendly refuses when it is sent again is rejected for that reason', async (t) => {
    const refusal = { reason: 'missing_answer', detail: 'Company name' } as const
    const { after } = await setUp({ outcomes: [{ kind: 'refused', refusal }] })
    await after(1_000)
    t.match(await after(schedule.absenceMs), {
      status: 'rejected',
      rejection: { code: 'missing_answer', pointer: '#/questions_and_answers' }
    })
    t.equal(await claims(), 0)
  })

  t.test(
    'that cannot be sent again for now stays unknown, since its first one may still appear',
    async (t) => {
      const { after, world } = await setUp({ outcomes: [{ kind: 'not_done', detail: 'refused' }] })
      await after(1_000)
      t.match(await after(schedule.absenceMs), { status: 'unknown' })
      world.found = ours()
      t.match(await after(1_000), { status: 'confirmed' })
    }
  )

  t.test('that Calendly is too busy for stays unknown and is sent again later', async (t) => {
    const { after, world } = await setUp({ outcomes: [busy, { kind: 'done', invitee: ours().invitee }] })
    await after(1_000)
    t.match(await after(schedule.absenceMs), { status: 'unknown', rejection: undefined })
    t.equal(await claims(), 1)
    await after(1_000)
    t.match(await after(schedule.absenceMs), { status: 'confirmed' })
    t.equal(world.posts, 2)
  })

  t.test('needs a human after its time for that, and keeps its claim', async (t) => {
    const { after, world } = await setUp()
    world.isAway = true
    await after(1_000)
    t.match(await after(schedule.attentionMs - 1), { status: 'unknown' })
    t.match(await after(1), { status: 'needs_attention' })
    t.equal(await claims(), 1)
    t.equal(await isWaiting(), false)
    t.match((await reads.timeline('default', 'bkg_1')).at(-1), {
      type: 'needs_attention',
      detail: {
        reason: 'outcome_unknown',
        since: '2026-12-01T09:00:01Z',
        posts: 1,
        lookups: 3,
        last_look: 'unreadable',
        start_time: '2026-12-01T10:00:00Z'
      }
    })
  })

  t.test('that is settled meanwhile by a webhook stays as that has settled it', async (t) => {
    const { after, world } = await setUp()
    world.isAway = true
    await after(1_000)
    await transact(async ({ bookings }) => {
      const booking = await bookings.lock('default', 'bkg_1')
      if (booking) await bookings.update({ ...booking, status: 'confirmed', version: booking.version + 1 }, 0)
    })
    t.match(await after(schedule.attentionMs), { status: 'confirmed' })
  })

  const movedAway = (newInvitee?: string) => ({
    invitee: ours({ status: 'canceled', rescheduled: true, newInvitee }).invitee,
    event: anEvent('A', { status: 'canceled' })
  })
  const movedTo = {
    invitee: anInvitee('B', { oldInvitee: inviteeUri('A') }),
    event: anEvent('B', { startTime: later })
  }
  const moved = {
    status: 'confirmed',
    startTime: later,
    calendly: { invitee: inviteeUri('B') },
    change: undefined,
    reschedules: [{ from: tuesday, to: later }]
  }

  for (const [what, rest] of [
    ['then as made', [ours(), movedTo]],
    ['then as made, the other way round', [movedTo, ours()]]
  ] as const) {
    t.test(`and that is reported as moved first, ${what}, is one booking and not sent again`, async (t) => {
      const { after, tell, world } = await setUp()
      await after(1_000)
      await tell(movedAway(inviteeUri('B')))
      t.match(await read(), { status: 'confirmed', change: { kind: 'move' } }, 'to be moved it was there')
      for (const fact of rest) {
        for (let n = 0; n < 3; n++) await after(schedule.absenceMs)
        await tell(fact)
      }
      await after(schedule.absenceMs)
      t.equal(world.posts, 0)
      const all = await reads.list('default', { limit: 10, now: 0 })
      t.match(all, [{ id: 'bkg_1', ...moved }])
      t.same([all.length, all[0]?.reschedules.length], [1, 1])
      t.equal(await isWaiting(), false)
    })
  }

  for (const [what, named] of [
    ['that the first half names', inviteeUri('B')],
    ['that only Calendly names', undefined]
  ] as const) {
    t.test(`and whose move is reported by halves is moved to the invitee ${what}`, async (t) => {
      const { after, tell, world } = await setUp()
      await tell(movedAway(named))
      t.match(await after(60_000), { startTime: tuesday, change: { kind: 'move' } })
      world.left = movedAway(inviteeUri('B')).invitee
      world.found = movedTo
      const booking = await after(60_000)
      t.match(booking, moved)
      t.equal(booking.reschedules.length, 1)
      t.equal(await claims(), 1)
      t.equal(await isWaiting(), false)
      t.equal(world.posts, 0)
    })
  }

  t.test('and whose second half is never to be found, needs a human', async (t) => {
    const { after, tell } = await setUp()
    await tell(movedAway(inviteeUri('B')))
    await after(60_000)
    for (let n = 0; n < 3; n++) await after(schedule.attentionMs)
    t.match(await read(), { status: 'needs_attention', change: { kind: 'move' } })
    t.equal(await isWaiting(), false)
    const entries = (await reads.timeline('default', 'bkg_1')).filter(
      ({ type }) => type === 'needs_attention'
    )
    t.match(entries, [{ detail: { reason: 'second_half_missing', new_invitee: inviteeUri('B') } }])
    t.equal(entries.length, 1)
    await tell(movedTo)
    t.match(await read(), moved, 'heard of late, it is where it went')
  })

  t.test('or whose cancellation is under way, is handed to whoever finishes that', async (t) => {
    const change = {
      kind: 'cancel',
      state: 'pending',
      requestedAt: tuesday,
      cancelerType: 'host',
      canceledBy: 'Hedy',
      scope: 'event'
    } as const
    const { after, world } = await setUp({ changes: { status: 'confirmed', change } })
    await after(1_000)
    t.same(world.resumed, ['bkg_1'])
    t.same(world.asked, [])
  })
})
