import { randomBytes } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import {
  type IntegrityBounds,
  type Invariant,
  invariants,
  type moneyInvariants
} from '../../src/core/integrity.ts'
import type { Engine } from '../../src/database/engine.ts'
import { createIntegrityCounts } from '../../src/database/integrity.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking, host, meeting } from '../support/samples.ts'

const hourMs = 3_600_000
const now = Date.now()
const soon = Math.ceil(now / hourMs) * hourMs + 24 * hourMs
const bounds: IntegrityBounds = {
  now,
  sweptWithinMs: 60_000,
  settledWithinMs: hourMs,
  checkedWithinMs: 60_000,
  paysWithinMs: 60_000,
  keptForMs: 90 * 24 * hourMs
}
const long = sql`now() - interval '2 hours'`
const recent = { createdAt: now, updatedAt: now, startTime: soon }
const confirmed = (changes: Partial<Booking> = {}) => aBooking({ ...recent, status: 'confirmed', ...changes })

type World = ReturnType<typeof worldOf>

/** Writes down what nobody should. */
function worldOf(engine: Engine) {
  const { db, transaction } = engine
  const run = (statement: RawBuilder<unknown>) => statement.execute(db)
  return {
    run,
    count: createIntegrityCounts(engine),
    book: (booking: Booking) => transaction((tx) => tablesOf(tx).bookings.insert(booking)),
    note: ({ tenantId, id }: Booking, type: string) =>
      transaction((tx) => tablesOf(tx).timeline.add({ tenantId, id }, { at: now, type, detail: {} })),
    /** Of half an hour of the host, beside whatever is there. */
    claim: (ownerId: string, { startTime = soon, session = ownerId, expiresAt = null }: ClaimColumns = {}) =>
      run(sql`insert into claims (tenant_id, host, owner_id, session, busy, start_time, end_time, expires_at)
        values ('default', ${host}, ${ownerId}, ${session},
          tstzrange(to_timestamp(${startTime / 1000}::float8), to_timestamp(${startTime / 1000}::float8) + interval '30 minutes'),
          to_timestamp(${startTime / 1000}::float8), to_timestamp(${startTime / 1000}::float8) + interval '30 minutes',
          ${expiresAt})`),
    hold: (id: string, expiresAt: RawBuilder<unknown> = sql`now() + interval '5 minutes'`) =>
      run(sql`insert into holds (id, tenant_id, caller, status, event_type, start_time, end_time, details, expires_at, created_at, updated_at)
        values (${id}, 'default', 'ann', 'active', ${meeting}, now(), now() + interval '1 day', '{}', ${expiresAt}, now(), now())`),
    deliver: (columns: { status: string; dueAt?: RawBuilder<unknown>; reason?: string }) =>
      run(sql`insert into deliveries (id, tenant_id, digest, body, signed_at, status, due_at, reason)
        values ('dlv_' || gen_random_uuid(), 'default', ${randomBytes(32)}, '', now(), ${columns.status},
          ${columns.dueAt ?? null}, ${columns.reason ?? null})`),
    event: (
      sequence: number,
      { position = sequence, at = sql`now()`, subject = 'bkg_1' }: EventColumns = {}
    ) =>
      run(sql`
        with counted as (insert into event_subjects (tenant_id, subject, sequence)
          values ('default', ${subject}, ${sequence}::bigint)
          on conflict (tenant_id, subject) do update set sequence = excluded.sequence),
        head as (update events_head set position = coalesce(${position}::bigint, position))
        insert into events (id, tenant_id, type, subject, sequence, at, body, position)
        values ('evt_' || ${subject}::text || ${sequence}::text, 'default', 'booking.confirmed', ${subject}, ${sequence},
          ${at}, '', ${position})`),
    endpoint: (updatedAt: RawBuilder<unknown>) =>
      run(sql`insert into event_endpoints (id, tenant_id, url, types, status, created_at, updated_at)
        values ('ep_1', 'default', 'https://example.com', '{booking.confirmed}', 'enabled', now(), ${updatedAt})`),
    tell: (eventId: string, dueAt: RawBuilder<unknown> | null, triedAt: RawBuilder<unknown> | null = null) =>
      run(sql`insert into event_deliveries (endpoint_id, event_id, position, subject, status, due_at, last_attempt_at)
        values ('ep_1', ${eventId}, 1, 'bkg_1', 'pending', ${dueAt}, ${triedAt})`)
  }
}

type ClaimColumns = {
  startTime?: number
  session?: string
  expiresAt?: RawBuilder<unknown> | null
}
type EventColumns = { position?: number | null; at?: RawBuilder<unknown>; subject?: string }
type Case = readonly [name: string, violations: number, plant: (world: World) => Promise<unknown>]

const other = confirmed({ id: 'bkg_2', startTime: soon + 15 * 60_000, endTime: soon + 45 * 60_000 })
const overlap = async ({ book }: World, changes: Partial<Booking> = {}) => {
  await book(confirmed())
  await book({ ...other, ...changes })
}
const change = {
  kind: 'cancel',
  state: 'pending',
  cancelerType: 'host',
  canceledBy: 'Ann',
  scope: 'event'
} as const
const session = `${meeting}@${soon}`
const shared = (id: string) => confirmed({ id, isGroup: true })
const seats = ({ run }: World, seats: number) =>
  run(sql`insert into sessions (tenant_id, session, seats, is_told, ends_at)
    values ('default', ${session}, ${seats}, true, now() + interval '2 days')`)
const key = (columns: { lease: RawBuilder<unknown>; created?: RawBuilder<unknown>; status?: number }) =>
  sql`insert into idempotency_keys (tenant_id, caller, key, method, route, fingerprint, lease_until, created_at, status)
    values ('default', 'ann', gen_random_uuid()::text, 'POST', '/', '', ${columns.lease}, ${columns.created ?? sql`now()`},
      ${columns.status ?? null})`

/** Those of money are in a file of their own. */
type Looked = Exclude<Invariant, (typeof moneyInvariants)[number]>

const cases: Readonly<Record<Looked, readonly Case[]>> = {
  bookings_overlapping: [
    ['two bookings made here at one time of one host', 1, overlap],
    [
      'three of them are two too many',
      2,
      async (world) => {
        await overlap(world)
        await world.book(confirmed({ id: 'bkg_3' }))
      }
    ],
    [
      'a hold over a booking',
      1,
      async ({ book, hold, claim }) => {
        await book(confirmed())
        await hold('hld_1')
        await claim('hld_1', { expiresAt: sql`now() + interval '5 minutes'` })
      }
    ],
    [
      'seats of one session',
      0,
      async ({ book }) => {
        await book(shared('bkg_1'))
        await book(shared('bkg_2'))
      }
    ],
    [
      'a session over a booking',
      1,
      async ({ book }) => {
        await book(shared('bkg_1'))
        await book(shared('bkg_2'))
        await book(confirmed({ id: 'bkg_3' }))
      }
    ],
    [
      'one after the other',
      0,
      (world) => overlap(world, { startTime: soon + 30 * 60_000, endTime: soon + hourMs })
    ],
    ['two hosts', 0, (world) => overlap(world, { hosts: [{ user: 'somebody else' }] })],
    ['what Calendly reported', 0, (world) => overlap(world, { source: 'webhook' })],
    ['what is canceled', 0, (world) => overlap(world, { status: 'canceled' })],
    [
      'what is being moved away',
      0,
      (world) => overlap(world, { change: { kind: 'move', state: 'pending', requestedAt: now } })
    ],
    [
      'what Calendly moved there, as the timeline says',
      0,
      async (world) => {
        await overlap(world)
        await world.note(other, 'overlap_found')
      }
    ],
    [
      'what is over',
      0,
      async ({ book }) => {
        const past = { startTime: soon - 48 * hourMs, endTime: soon - 47 * hourMs }
        await book(confirmed(past))
        await book(confirmed({ ...past, id: 'bkg_2' }))
      }
    ]
  ],
  bookings_unclaimed: [
    ['a booking without its time', 1, ({ book }) => book(confirmed())],
    [
      'one with another time',
      1,
      async ({ book, claim }) => {
        await book(confirmed())
        await claim('bkg_1', { startTime: soon + hourMs })
      }
    ],
    [
      'one with the time of one of two hosts',
      1,
      async ({ book, claim }) => {
        await book(confirmed({ hosts: [{ user: host }, { user: 'another' }] }))
        await claim('bkg_1')
      }
    ],
    [
      'one with its time',
      0,
      async ({ book, claim }) => {
        await book(confirmed())
        await claim('bkg_1')
      }
    ],
    ['what Calendly reported', 0, ({ book }) => book(confirmed({ source: 'webhook' }))],
    ['what was rejected', 0, ({ book }) => book(confirmed({ status: 'rejected' }))],
    [
      'what had to make way',
      0,
      async ({ book, note }) => {
        await book(confirmed())
        await note(confirmed(), 'made_way')
      }
    ]
  ],
  claims_without_owner: [
    ['time of nobody', 1, ({ claim }) => claim('bkg_1')],
    [
      'time of what is canceled',
      1,
      async ({ book, claim }) => {
        await book(confirmed({ status: 'canceled' }))
        await claim('bkg_1')
      }
    ],
    [
      'time of a hold that is over',
      1,
      async ({ hold, claim }) => {
        await hold('hld_1', long)
        await claim('hld_1', { expiresAt: long })
      }
    ],
    [
      'time that is over',
      1,
      async ({ book, claim }) => {
        await book(confirmed())
        await claim('bkg_1', { startTime: now - 2 * hourMs })
      }
    ],
    [
      'time of a booking and of a hold',
      0,
      async ({ book, hold, claim }) => {
        await book(confirmed({ status: 'pending' }))
        await claim('bkg_1')
        await hold('hld_1')
        await claim('hld_1', { startTime: soon + hourMs })
      }
    ]
  ],
  seats_oversold: [
    [
      'two on one seat',
      1,
      async (world) => {
        await seats(world, 1)
        for (const id of ['bkg_1', 'bkg_2']) {
          await world.book(shared(id))
          await world.claim(id, { session })
        }
      }
    ],
    [
      'two on two seats',
      0,
      async (world) => {
        await seats(world, 2)
        for (const id of ['bkg_1', 'hld_1']) await world.claim(id, { session })
      }
    ],
    [
      'one whom Calendly has put there too',
      0,
      async (world) => {
        await seats(world, 1)
        await world.book(shared('bkg_1'))
        await world.book({ ...shared('bkg_2'), source: 'webhook' })
        for (const id of ['bkg_1', 'bkg_2']) await world.claim(id, { session })
      }
    ]
  ],
  holds_overdue: [
    ['a hold that was over long ago', 1, ({ hold }) => hold('hld_1', long)],
    ['one that has just ended', 0, ({ hold }) => hold('hld_1', sql`now()`)]
  ],
  invitees_booked_twice: [
    [
      'two bookings of one invitee',
      1,
      (world) => {
        const calendly = { invitee: 'https://api.calendly.com/invitees/ADA' }
        return overlap(world, { calendly }).then(() => world.book(confirmed({ id: 'bkg_3', calendly })))
      }
    ],
    [
      'of which one is canceled',
      0,
      async ({ book }) => {
        const calendly = { invitee: 'https://api.calendly.com/invitees/ADA' }
        await book(confirmed({ calendly }))
        await book(confirmed({ calendly, id: 'bkg_2', status: 'canceled' }))
      }
    ]
  ],
  intents_overdue: [
    [
      'an old booking without an outcome',
      1,
      ({ book }) =>
        book(aBooking({ startTime: soon, status: 'unknown', resolution: { since: 1, lookups: 9, posts: 1 } }))
    ],
    [
      'an old change',
      1,
      ({ book }) => book(confirmed({ change: { ...change, requestedAt: now - 2 * hourMs } }))
    ],
    [
      'a change whose latest step is young',
      0,
      ({ book }) =>
        book(
          confirmed({
            change: { ...change, requestedAt: now - 2 * hourMs },
            resolution: { since: now, lookups: 0, posts: 0 }
          })
        )
    ],
    ['what is young', 0, ({ book }) => book(confirmed({ status: 'pending' }))],
    [
      'what a human has to look at',
      0,
      ({ book }) => book(aBooking({ startTime: soon, status: 'needs_attention' }))
    ]
  ],
  bookings_needing_attention: [['one', 1, ({ book }) => book(confirmed({ status: 'needs_attention' }))]],
  idempotency_keys_stuck: [
    ['a lease of a day', 1, ({ run }) => run(key({ lease: sql`now() + interval '1 day'` }))],
    ['an outcome without an answer', 1, ({ run }) => run(key({ lease: sql`now()`, status: 201 }))],
    [
      'one that should be forgotten',
      1,
      ({ run }) => run(key({ lease: long, created: sql`now() - interval '80 hours'` }))
    ],
    [
      'one that is waited for, and one that nobody came back for',
      0,
      async ({ run }) => {
        await run(key({ lease: sql`now() + interval '30 seconds'` }))
        await run(key({ lease: long, created: long }))
      }
    ]
  ],
  deliveries_overdue: [
    ['one that nobody works on', 1, ({ deliver }) => deliver({ status: 'received', dueAt: long })],
    ['one that has just come', 0, ({ deliver }) => deliver({ status: 'received', dueAt: sql`now()` })]
  ],
  deliveries_unaccounted: [
    ['one that waits for nothing', 1, ({ deliver }) => deliver({ status: 'received' })],
    ['one that was put aside without a word', 1, ({ deliver }) => deliver({ status: 'quarantined' })],
    [
      'each of which has one',
      0,
      async ({ deliver }) => {
        await deliver({ status: 'processed' })
        await deliver({ status: 'quarantined', reason: 'unreadable' })
        await deliver({ status: 'dead', reason: 'It failed.' })
      }
    ]
  ],
  deliveries_dead: [['one', 1, ({ deliver }) => deliver({ status: 'dead', reason: 'It failed.' })]],
  event_sequence_gaps: [
    [
      'a number that is left out',
      1,
      async ({ event }) => {
        for (const sequence of [1, 2, 4]) await event(sequence)
      }
    ],
    [
      'a number that has been given and is not there',
      1,
      async ({ event, run }) => {
        await event(1)
        await run(sql`update event_subjects set sequence = 2`)
      }
    ],
    [
      'one that begins late, the rest being too old to be kept',
      0,
      async ({ event }) => {
        for (const sequence of [3, 4]) await event(sequence)
      }
    ]
  ],
  event_position_gaps: [
    [
      'a position that is left out',
      1,
      async ({ event }) => {
        for (const sequence of [1, 2, 4]) await event(sequence)
      }
    ],
    [
      'a head that is ahead',
      1,
      async ({ event, run }) => {
        await event(1)
        await run(sql`update events_head set position = 2`)
      }
    ],
    [
      'those of an age at which they are removed',
      0,
      async ({ event }) => {
        await event(1, { at: sql`now() - interval '91 days'` })
        await event(3, { at: sql`now() - interval '90 days'` })
      }
    ]
  ],
  events_unpositioned: [
    ['one without, for minutes', 1, ({ event }) => event(1, { position: null, at: long })],
    ['one that has just been written', 0, ({ event }) => event(1, { position: null })]
  ],
  events_not_fanned_out: [
    [
      'one whose endpoint is not told',
      1,
      async ({ event, endpoint }) => {
        await endpoint(long)
        await event(1)
      }
    ],
    [
      'one whose endpoint is',
      0,
      async ({ event, endpoint, tell }) => {
        await endpoint(long)
        await event(1)
        await tell('evt_bkg_11', sql`now()`)
      }
    ],
    [
      'one from before the endpoint',
      0,
      async ({ event, endpoint }) => {
        await event(1)
        await endpoint(sql`now()`)
      }
    ]
  ],
  event_deliveries_overdue: [
    [
      'one that nobody tries',
      1,
      async ({ event, endpoint, tell }) => {
        await endpoint(long)
        await event(1)
        await tell('evt_bkg_11', long)
      }
    ],
    [
      'one that will never be',
      1,
      async ({ event, endpoint, tell }) => {
        await endpoint(long)
        await event(1)
        await tell('evt_bkg_11', null)
      }
    ],
    [
      'one behind others of an endpoint that is slow',
      0,
      async ({ event, endpoint, tell }) => {
        await endpoint(long)
        await event(1)
        await event(2)
        await tell('evt_bkg_11', long)
        await tell('evt_bkg_12', sql`now() + interval '20 seconds'`, sql`now()`)
      }
    ]
  ],
  subscription_unchecked: [
    [
      'one not looked for since long',
      1,
      ({ run }) =>
        run(sql`insert into calendly_subscriptions (tenant_id, callback_url, state, events, checked_at)
        values ('default', 'https://example.com', 'active', '{}', ${long})`)
    ],
    [
      'one looked for just now',
      0,
      ({ run }) =>
        run(sql`insert into calendly_subscriptions (tenant_id, callback_url, state, events, checked_at)
        values ('default', 'https://example.com', 'missing', '{}', now())`)
    ]
  ]
}

const everything = sql`truncate booking_timeline, claims, holds, invitees, deliveries, sessions, events,
  event_subjects, event_endpoints, event_endpoint_secrets, event_deliveries, idempotency_keys, calendly_subscriptions`

for (const kind of engines) {
  t.test(`what must not be is counted (${kind})`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const world = worldOf(engine)
    for (const name of invariants) t.equal(await world.count(name, bounds), 0, `${name}: nothing at first`)
    for (const name of Object.keys(cases) as Looked[]) {
      for (const [title, violations, plant] of cases[name]) {
        await plant(world)
        t.equal(await world.count(name, bounds, 'default'), violations, `${name}: ${title}`)
        t.equal(await world.count(name, bounds), violations, `${name}, of all tenants: ${title}`)
        if (name !== 'event_position_gaps') {
          t.equal(await world.count(name, bounds, 'other'), 0, `${name}, of another tenant: ${title}`)
        }
        await everything.execute(engine.db)
        await sql`delete from bookings`.execute(engine.db)
        await sql`update events_head set position = 0`.execute(engine.db)
      }
    }
  })
}

t.test('where no subscription is kept, none is missed', async (t) => {
  const engine = await openTestEngine(t)
  const world = worldOf(engine)
  await cases.subscription_unchecked[0]?.[2](world)
  const kept = { ...bounds, checkedWithinMs: undefined }
  t.equal(await world.count('subscription_unchecked', kept), 0)
})
