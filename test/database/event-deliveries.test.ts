import { sql } from 'kysely'
import t from 'tap'
import type { DueDelivery } from '../../src/core/dispatcher.ts'
import { outboxState } from '../../src/database/event-deliveries.ts'
import { listEventDeliveries, replayEvents } from '../../src/database/event-delivery-list.ts'
import { engines } from '../support/database.ts'
import { openOutbox } from '../support/outbox.ts'

const limits = { mostAtOnce: 4, leaseMs: 20_000 }
const delivered = { kind: 'delivered', status: 204, durationMs: 12, at: 0 } as const
const failed = { kind: 'failed', status: 500, error: 'answered 500', durationMs: 12, at: 0 } as const
const idle = new Map<string, number>()

const idsOf = (deliveries: readonly DueDelivery[]) => deliveries.map(({ event }) => event.id)
const first = ([delivery]: readonly DueDelivery[]): DueDelivery => {
  if (!delivery) throw new Error('nothing was claimed')
  return delivery
}

for (const kind of engines) {
  t.test(`the outbox on ${kind}`, async (t) => {
    const stage = await openOutbox(t, kind)
    const { db, outbox, other, addEndpoint, queue, rowsOf, pass } = stage
    const claim = (busy: ReadonlyMap<string, number> = idle) => outbox.claim(busy, limits)
    t.beforeEach(stage.clear)

    t.test('hands out what is due with all that an attempt needs, once', async (t) => {
      await addEndpoint('ep_1')
      const id = await queue(['ep_1'])
      const claimed = await claim()
      t.match(claimed, [
        {
          endpoint: { tenantId: 'default', id: 'ep_1', url: 'http://127.0.0.1:9/ep_1' },
          secrets: [Buffer.from('secret of ep_1')],
          event: { id, body: Buffer.from(id) },
          attempts: 0
        }
      ])
      t.equal(first(claimed).endpoint.failingSince, undefined)
      t.same(await claim(), [])
      t.same(await other.claim(idle, limits), [])
    })

    t.test('gives no more to an endpoint than it may have in flight', async (t) => {
      await addEndpoint('ep_1')
      await addEndpoint('ep_2')
      for (let n = 0; n < 6; n++) await queue(['ep_1', 'ep_2'], { subject: `bkg_${n}` })
      const claimed = await claim(new Map([['ep_1', 3]]))
      const of = (id: string) => claimed.filter(({ endpoint }) => endpoint.id === id).length
      t.same([of('ep_1'), of('ep_2')], [1, 4])
      t.same(
        await claim(
          new Map([
            ['ep_1', 4],
            ['ep_2', 4]
          ])
        ),
        []
      )
    })

    t.test('lets the first attempts of one subject go out in order, also over two replicas', async (t) => {
      await addEndpoint('ep_1')
      const [one, two, third] = [await queue(['ep_1']), await queue(['ep_1']), await queue(['ep_1'])]
      const beside = await queue(['ep_1'], { subject: 'bkg_2' })
      const taken = await claim()
      t.same(idsOf(taken), [one, beside])
      t.same(await other.claim(idle, limits), [], 'the second waits for the outcome of the first')
      await outbox.succeed(first(taken), delivered)
      const next = await other.claim(idle, limits)
      t.same(idsOf(next), [two])
      await other.fail(first(next), failed, 60_000)
      t.same(idsOf(await claim()), [third], 'what is tried again holds up nothing')
    })

    t.test('retries come before nothing and after nothing of their subject', async (t) => {
      await addEndpoint('ep_1')
      const retried = await queue(['ep_1'])
      await outbox.fail(first(await claim()), failed, 1_000)
      const fresh = await queue(['ep_1'])
      t.same(idsOf(await claim()), [fresh])
      await pass(2)
      t.same(idsOf(await other.claim(idle, limits)), [retried], 'while the later one is in flight')
    })

    t.test('looks past what waits for its subject, but not without end', async (t) => {
      await addEndpoint('ep_1')
      for (let n = 0; n < 20; n++) await queue(['ep_1'])
      const beside = await queue(['ep_1'], { subject: 'bkg_2' })
      t.same(idsOf(await claim()), ['evt_1', beside])
    })

    t.test('workers at once take each delivery once and keep the order', async (t) => {
      await addEndpoint('ep_1')
      for (let n = 0; n < 60; n++) await queue(['ep_1'], { subject: `bkg_${n % 6}` })
      const order = new Map<string, number[]>()
      const work = async (_: unknown, worker: number) => {
        const mine = worker % 2 ? outbox : other
        for (let left = 1; left > 0; ) {
          for (const delivery of await mine.claim(idle, { ...limits, mostAtOnce: 2 })) {
            const position = Number(delivery.event.id.slice(4))
            const subject = `${(position - 1) % 6}`
            order.set(subject, [...(order.get(subject) ?? []), position])
            await mine.succeed(delivery, delivered)
          }
          left = (await outboxState(db)).pending
        }
      }
      await Promise.all(Array.from({ length: kind === 'embedded' ? 3 : 16 }, work))
      const taken = [...order.values()]
      t.equal(taken.flat().length, 60)
      for (const positions of taken)
        t.same(
          positions,
          positions.toSorted((a, b) => a - b)
        )
    })

    t.test('keeps outcomes', async (t) => {
      await addEndpoint('ep_1')
      await queue(['ep_1'], { subject: 'bkg_1' })
      await queue(['ep_1'], { subject: 'bkg_2' })
      await queue(['ep_1'], { subject: 'bkg_3' })
      const [one, two, three] = await claim()
      if (!one || !two || !three) throw new Error('less than three were claimed')
      await outbox.succeed(one, delivered)
      t.match(await outbox.fail(two, failed, 60_000), { failingForMs: Number })
      await outbox.fail(three, { ...failed, status: undefined, error: 'connection refused' }, undefined)
      t.match(await rowsOf('ep_1'), [
        { status: 'succeeded', attempts: 1, due_at: null, last_status: 204, last_duration_ms: 12 },
        { status: 'pending', attempts: 1, due_at: Number, last_status: 500, last_error: 'answered 500' },
        { status: 'failed', attempts: 1, due_at: null, last_status: null, last_error: 'connection refused' }
      ])
      t.match(await outboxState(db), { pending: 1, dead: 1, endpoints: { enabled: 1, disabled: 0 } })
    })

    t.test('an attempt whose process died is made again when its lease has ended', async (t) => {
      await addEndpoint('ep_1')
      const id = await queue(['ep_1'])
      await claim()
      await pass(19)
      t.same(await other.claim(idle, limits), [])
      await pass(2)
      const again = await other.claim(idle, limits)
      t.same(idsOf(again), [id])
      t.equal(first(again).attempts, 0, 'what nobody knows the outcome of does not count')
    })

    t.test('an outcome that comes after the delivery went to somebody else changes nothing', async (t) => {
      await addEndpoint('ep_1')
      await queue(['ep_1'])
      const late = first(await claim())
      await pass(21)
      const current = first(await other.claim(idle, limits))
      const before = await rowsOf('ep_1')
      t.equal(await outbox.fail(late, failed, undefined), undefined)
      await outbox.succeed(late, delivered)
      await outbox.giveBack([late])
      t.same(await rowsOf('ep_1'), before)
      t.equal((await stage.endpoint('ep_1'))?.failingSince, null)
      await other.succeed(current, delivered)
      t.match(await rowsOf('ep_1'), [{ status: 'succeeded', attempts: 1 }])
    })

    t.test('what is given back is due at once and has not been tried', async (t) => {
      await addEndpoint('ep_1')
      const id = await queue(['ep_1'])
      await outbox.giveBack(await claim())
      const [again] = await other.claim(idle, limits)
      t.match(again, { event: { id }, attempts: 0 })
    })

    t.test('knows since when an endpoint fails, until it succeeds', async (t) => {
      await addEndpoint('ep_1')
      for (const subject of ['bkg_1', 'bkg_2', 'bkg_3']) await queue(['ep_1'], { subject })
      const [one, two, three] = await claim()
      if (!one || !two || !three) throw new Error('less than three were claimed')
      await outbox.fail(one, failed, 0)
      await sql`update event_endpoints set failing_since = failing_since - interval '1 hour'`.execute(db)
      const { failingForMs = 0 } = (await outbox.fail(two, failed, 0)) ?? {}
      t.ok(failingForMs >= 3_600_000 && failingForMs < 3_660_000, String(failingForMs))
      await outbox.succeed(three, delivered)
      t.ok((await stage.endpoint('ep_1'))?.failingSince, 'one that began before does not touch the endpoint')
      const again = first(await claim())
      t.ok(again.endpoint.failingSince)
      await outbox.succeed(again, delivered)
      t.equal((await stage.endpoint('ep_1'))?.failingSince, null)
    })

    t.test('failures of an address that has been changed do not count against the new one', async (t) => {
      await addEndpoint('ep_1')
      await queue(['ep_1'])
      const sent = first(await claim())
      await sql`update event_endpoints set url = 'http://127.0.0.1:9/new'`.execute(db)
      t.same(await outbox.fail(sent, failed, 0), { failingForMs: 0 })
      t.equal((await stage.endpoint('ep_1'))?.failingSince, null)
    })

    t.test('an endpoint that is disabled or gone gets nothing', async (t) => {
      await addEndpoint('ep_1', { status: 'disabled', disabledReason: 'requested' })
      await addEndpoint('ep_2')
      await queue(['ep_1', 'ep_2'])
      const sent = first(await claim())
      t.equal(sent.endpoint.id, 'ep_2')
      await sql`delete from event_endpoints where id = 'ep_2'`.execute(db)
      await outbox.succeed(sent, delivered)
      t.equal(await outbox.fail(sent, failed, 0), undefined)
      t.same(await rowsOf('ep_2'), [])
    })

    t.test('a replaced secret signs until its time is over', async (t) => {
      const endpoint = await addEndpoint('ep_1')
      await stage.transact(async ({ eventEndpoints }) => {
        await eventEndpoints.retireSecret(endpoint, 60_000)
        await eventEndpoints.addSecret(endpoint, Buffer.from('new'))
      })
      await queue(['ep_1'])
      const both = first(await claim())
      t.same(both.secrets.map(String), ['new', 'secret of ep_1'])
      await outbox.giveBack([both])
      await sql`update event_endpoint_secrets set expires_at = now() where expires_at is not null`.execute(db)
      t.same(first(await claim()).secrets.map(String), ['new'])
    })

    t.test('queues again what happened from a time on, as if it had never been told, in order', async (t) => {
      await addEndpoint('ep_1')
      await addEndpoint('ep_2')
      const at = (day: number) => `2026-11-0${day}T00:00:00Z`
      const old = await queue(['ep_1'], { at: at(1) })
      const dead = await queue(['ep_1', 'ep_2'], { at: at(2) })
      const untold = await queue([], { at: at(3) })
      await queue([], { at: at(3), type: 'booking.canceled' })
      const waiting = await queue(['ep_1'], { at: at(4), subject: 'bkg_2' })
      await outbox.succeed(first(await claim()), delivered)
      await sql`update event_deliveries set status = 'failed', attempts = 10, due_at = null
        where event_id = ${dead}`.execute(db)
      await sql`update event_deliveries set attempts = 3, due_at = now() + interval '1 day'
        where event_id = ${waiting}`.execute(db)
      const replay = () => replayEvents(db, 'default', 'ep_1', { from: Date.parse(at(2)) })
      t.equal(await replay(), 3)
      t.match(await rowsOf('ep_1'), [
        { event: old, status: 'succeeded' },
        { event: dead, status: 'pending', attempts: 0 },
        { event: untold, status: 'pending', attempts: 0 },
        { event: waiting, status: 'pending', attempts: 0 }
      ])
      t.match(await rowsOf('ep_2'), [{ event: dead, status: 'failed' }], 'of nobody else')
      t.same(idsOf(await claim()), [dead, waiting])
      t.equal(await replay(), 0, 'it is queued already')
      t.same(await claim(), [], 'and what is in flight stays there')
    })

    t.test('queues again what was given up, whenever it happened, and nothing else', async (t) => {
      await addEndpoint('ep_1')
      const [told, first, untold] = [await queue(['ep_1']), await queue(['ep_1']), await queue([])]
      const second = await queue(['ep_1'])
      await sql`update event_deliveries set status = 'succeeded', due_at = null where event_id = ${told}`.execute(
        db
      )
      await sql`update event_deliveries set status = 'failed', attempts = 10, due_at = null
        where event_id in (${first}, ${second})`.execute(db)
      t.equal(await replayEvents(db, 'default', 'ep_1', { status: 'failed' }), 2)
      t.match(await rowsOf('ep_1'), [
        { event: told, status: 'succeeded' },
        { event: first, status: 'pending', attempts: 0 },
        { event: second, status: 'pending', attempts: 0 }
      ])
      t.notOk((await rowsOf('ep_1')).some(({ event }) => event === untold))
      t.equal(await replayEvents(db, 'default', 'ep_1', { status: 'failed' }), 0, 'they are queued already')
    })

    t.test('queues nothing again for an endpoint that is disabled or another tenant’s', async (t) => {
      await addEndpoint('ep_1', { status: 'disabled', disabledReason: 'gone' })
      await addEndpoint('ep_2')
      await queue([])
      t.equal(await replayEvents(db, 'default', 'ep_1', { from: 0 }), 0)
      t.equal(await replayEvents(db, 'other', 'ep_2', { from: 0 }), 0)
      t.equal(await replayEvents(db, 'default', 'ep_2', { from: 0 }), 1)
    })

    t.test('queues more than one page again and lists them newest first', async (t) => {
      await addEndpoint('ep_1')
      await sql`
        insert into events (id, tenant_id, type, subject, sequence, at, body, position)
        select 'evt_' || n, 'default', 'booking.confirmed', 'bkg_' || n, 1, now(), '', n
        from generate_series(1, 1200) n`.execute(db)
      t.equal(await replayEvents(db, 'default', 'ep_1', { from: 0 }), 1_200)
      t.same(idsOf(await claim()), ['evt_1', 'evt_2', 'evt_3', 'evt_4'])
      const list = (before?: number, status?: 'failed') =>
        listEventDeliveries(db, 'default', 'ep_1', { before, limit: 2, status })
      t.match(await list(), [{ position: 1_200, attempts: 0 }, { position: 1_199 }])
      t.match(await list(1_199), [{ position: 1_198 }, { position: 1_197 }])
      await sql`update event_deliveries set status = 'failed', due_at = null where event_id = 'evt_7'`.execute(
        db
      )
      t.match(await list(undefined, 'failed'), [{ eventId: 'evt_7', status: 'failed', dueAt: undefined }])
      t.same(await listEventDeliveries(db, 'other', 'ep_1', { limit: 2 }), [])
    })

    t.test('says how much waits and for how long', async (t) => {
      t.same(await outboxState(db), {
        pending: 0,
        dead: 0,
        lagMs: 0,
        oldestPendingAt: undefined,
        endpoints: { enabled: 0, disabled: 0 }
      })
      await addEndpoint('ep_1')
      await queue(['ep_1'], { at: '2026-11-01T00:00:00Z' })
      await queue(['ep_1'], { at: '2026-11-02T00:00:00Z' })
      await pass(5)
      const state = await outboxState(db)
      t.match(state, { pending: 2, oldestPendingAt: Date.parse('2026-11-01T00:00:00Z') })
      t.ok(state.lagMs >= 5_000 && state.lagMs < 60_000, String(state.lagMs))
    })
  })
}
