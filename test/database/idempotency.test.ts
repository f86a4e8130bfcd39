import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { AppError } from '../../src/core/errors.ts'
import { createIdempotency, type IdempotencyTables, type KeyedRequest } from '../../src/core/idempotency.ts'
import { createVault } from '../../src/core/vault.ts'
import { sweepIdempotencyKeys } from '../../src/database/idempotency.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { minuteMs } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`idempotency keys on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const inTable = <T>(work: (keys: IdempotencyTables['idempotency']) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx).idempotency))
    const requestOf = (key: string, changes: Partial<KeyedRequest> = {}): KeyedRequest => ({
      tenantId: 'default',
      caller: 'shop',
      key,
      method: 'POST',
      route: '/api/v1/bookings',
      fingerprint: 'one',
      ...changes
    })
    const lock = (key: string, leaseMs = minuteMs) => inTable((keys) => keys.lock(requestOf(key), leaseMs))
    const age = (key: string, hours: number) =>
      sql`update idempotency_keys set created_at = now() - ${hours} * interval '1 hour' where key = ${key}`.execute(
        db
      )

    t.test('are new once, then what they were', async (t) => {
      t.strictSame(await lock('new'), {
        isNew: true,
        row: {
          method: 'POST',
          route: '/api/v1/bookings',
          fingerprint: 'one',
          epoch: 1,
          isLeased: true,
          isExpired: false,
          subject: undefined,
          answer: undefined
        }
      })
      const again = await inTable((keys) => keys.lock(requestOf('new', { fingerprint: 'two' }), minuteMs))
      t.match(again, { isNew: false, row: { fingerprint: 'one', epoch: 1, isLeased: true } })
    })

    t.test('are new to one of many who come at once', async (t) => {
      const results = await Promise.all(Array.from({ length: 20 }, () => lock('raced')))
      t.equal(results.filter(({ isNew }) => isNew).length, 1)
    })

    t.test('belong to their tenant and their caller', async (t) => {
      await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
      for (const changes of [{}, { tenantId: 'other' }, { caller: 'desk' }]) {
        const { isNew } = await inTable((keys) => keys.lock(requestOf('shared', changes), minuteMs))
        t.equal(isNew, true)
      }
    })

    t.test('keep the recovery point of whoever has their epoch', async (t) => {
      await lock('subject')
      const id = requestOf('subject')
      t.equal(await inTable((keys) => keys.setSubject(id, 1, 'bkg_1', minuteMs)), true)
      t.equal(await inTable((keys) => keys.takeOver(id, minuteMs)), 2)
      t.equal(await inTable((keys) => keys.setSubject(id, 1, 'bkg_late', minuteMs)), false)
      t.match((await lock('subject')).row, { epoch: 2, subject: 'bkg_1', isLeased: true })
    })

    t.test('replay the answer of whoever has their epoch', async (t) => {
      const id = requestOf('answer')
      await lock('answer')
      await inTable((keys) => keys.takeOver(id, minuteMs))
      await inTable((keys) => keys.finish(id, 1, 201, Buffer.from('late')))
      t.equal((await lock('answer')).row.answer, undefined)
      await inTable((keys) => keys.finish(id, 2, 201, Buffer.from([0, 255, 128])))
      t.same((await lock('answer')).row.answer, Buffer.from([0, 255, 128]))
    })

    t.test('are forgotten when released with nothing begun', async (t) => {
      await lock('nothing')
      await inTable((keys) => keys.release(requestOf('nothing'), 2))
      t.equal((await lock('nothing')).isNew, false, 'by nobody else')
      await inTable((keys) => keys.release(requestOf('nothing'), 1))
      t.equal((await lock('nothing')).isNew, true)
    })

    t.test('can be resumed at once when released with something begun', async (t) => {
      const id = requestOf('begun')
      await lock('begun')
      await inTable((keys) => keys.setSubject(id, 1, 'bkg_1', minuteMs))
      await inTable((keys) => keys.release(id, 1))
      t.match(await lock('begun'), { isNew: false, row: { isLeased: false, subject: 'bkg_1' } })
    })

    t.test('let one run at a time, and nothing else go wrong, while every run fails', async (t) => {
      const idempotency = createIdempotency({
        vault: createVault(randomBytes(32)),
        transact: (work) => transaction((tx) => work(tablesOf(tx)))
      })
      const outcomes: string[] = []
      let running = 0
      let most = 0
      async function attempt(): Promise<void> {
        try {
          const started = await idempotency.start(requestOf('fails'))
          if ('replay' in started) throw new Error('nothing was decided')
          most = Math.max(most, ++running)
          await setImmediate()
          running--
          await idempotency.finish(started.attempt, { status: 503, headers: {}, body: '' })
          outcomes.push('ran')
        } catch (error) {
          outcomes.push(error instanceof AppError ? error.code : String(error))
        }
      }
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          for (let n = 0; n < 20; n++) await attempt()
        })
      )
      t.equal(most, 1)
      t.same(new Set(outcomes), new Set(['ran', 'idempotency_in_progress']))
      t.equal((await lock('fails')).isNew, true)
    })

    t.test('lose their lease with time', async (t) => {
      await lock('leased', -1)
      t.equal((await lock('leased')).row.isLeased, false)
    })

    t.test('expire after three days, start anew with a higher epoch, and are swept', async (t) => {
      await lock('old')
      await inTable((keys) => keys.finish(requestOf('old'), 1, 201, Buffer.from('x')))
      await age('old', 71.9)
      t.equal((await lock('old')).row.isExpired, false)
      await age('old', 72.1)
      t.equal((await lock('old')).row.isExpired, true)
      t.equal(await inTable((keys) => keys.restart(requestOf('old', { fingerprint: 'new' }), minuteMs)), 2)
      t.match((await lock('old')).row, { fingerprint: 'new', isExpired: false, answer: undefined })

      await lock('swept')
      await age('swept', 72.1)
      await sweepIdempotencyKeys(db)
      t.equal((await lock('swept')).isNew, true)
      t.equal((await lock('old')).isNew, false)
    })
  })
}
