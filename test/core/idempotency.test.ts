import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import {
  createIdempotency,
  fingerprintOf,
  type KeyedRequest,
  parseIdempotencyKey
} from '../../src/core/idempotency.ts'
import { createVault } from '../../src/core/vault.ts'
import { openTables } from '../support/tables.ts'

t.test('a fingerprint does not see the order of members, nor what is undefined', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => fingerprintOf([value]) === fingerprintOf([reversed(value)]))
  )
})

t.test('a fingerprint tells different requests apart', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
      return isSame === (fingerprintOf([a]) === fingerprintOf([b]))
    })
  )
  const different = [
    [{ id: '1' }, {}],
    [{}, { id: '1' }],
    [],
    [[]],
    [{}],
    ['{}'],
    [null],
    [[1, 2]],
    [[2, 1]],
    [['1', 2]]
  ]
  t.equal(new Set(different.map(fingerprintOf)).size, different.length)
  t.equal(fingerprintOf([{ a: 1, b: undefined }]), fingerprintOf([{ a: 1 }]))
  t.match(fingerprintOf([]), /^[0-9a-f]{64}$/)
})

t.test('a key is 1 to 255 visible ASCII characters, bare or quoted', async (t) => {
  t.equal(parseIdempotencyKey('order-4711'), 'order-4711')
  t.equal(parseIdempotencyKey('"order-4711"'), 'order-4711')
  t.equal(parseIdempotencyKey('"'), '"')
  t.equal(parseIdempotencyKey('~'.repeat(255)), '~'.repeat(255))
  for (const header of ['', '""', 'a b', 'ä', 'a\n', 'a\t', 'a'.repeat(256), '"a b"']) {
    t.throws(() => parseIdempotencyKey(header), { code: 'invalid_idempotency_key' }, JSON.stringify(header))
  }
})

t.test('a keyed request', async (t) => {
  const { db, transact } = await openTables(t)
  const idempotency = createIdempotency({ vault: createVault(randomBytes(32)), transact })
  const answer = {
    status: 201,
    headers: { 'content-type': 'application/json', location: '/b/1' },
    body: '{"id":"bkg_1"}'
  }
  const requestOf = (key: string, changes: Partial<KeyedRequest> = {}): KeyedRequest => ({
    tenantId: 'default',
    caller: 'shop',
    key,
    method: 'POST',
    route: '/api/v1/bookings',
    fingerprint: 'one',
    ...changes
  })
  async function begin(key: string, changes?: Partial<KeyedRequest>) {
    const started = await idempotency.start(requestOf(key, changes))
    if ('replay' in started) throw new Error('it was answered before')
    return started.attempt
  }
  const loseLease = (key: string) =>
    sql`update idempotency_keys set lease_until = now() where key = ${key}`.execute(db)

  t.test('runs once and is then answered as it was', async (t) => {
    const attempt = await begin('once')
    t.equal(attempt.execution.subject, undefined)
    await idempotency.finish(attempt, answer)
    t.same(await idempotency.start(requestOf('once')), { replay: answer })
  })

  t.test('is told to wait while the first one runs', async (t) => {
    await begin('running')
    await t.rejects(idempotency.start(requestOf('running')), {
      code: 'idempotency_in_progress',
      retryAfterMs: 1_000
    })
  })

  t.test('runs once of many that come at once', async (t) => {
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => begin('raced')))
    t.equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  t.test('is refused under a key that was another’s, answered or not', async (t) => {
    await begin('reused')
    for (const changes of [{ fingerprint: 'two' }, { route: '/other' }, { method: 'PUT' }]) {
      await t.rejects(idempotency.start(requestOf('reused', changes)), { code: 'idempotency_key_reused' })
      await t.rejects(idempotency.start(requestOf('once', changes)), { code: 'idempotency_key_reused' })
    }
  })

  t.test('may run again after an answer that decided nothing', async (t) => {
    for (const status of [401, 403, 429, 500, 503]) {
      await idempotency.finish(await begin(`open-${status}`), { ...answer, status })
      t.ok(await begin(`open-${status}`, { fingerprint: 'two' }), `${status}`)
    }
  })

  t.test('is answered for good by everything that was decided', async (t) => {
    for (const status of [200, 202, 204, 400, 404, 409, 422]) {
      await idempotency.finish(await begin(`final-${status}`), { ...answer, status })
      t.match(await idempotency.start(requestOf(`final-${status}`)), { replay: { status } })
    }
  })

  t.test(
    'that was cut short is resumed from what it had begun, and the first run can no longer write',
    async (t) => {
      const first = await begin('cut')
      await transact((tables) => first.execution.begin(tables, 'bkg_1'))
      await loseLease('cut')
      const second = await begin('cut')
      t.equal(second.execution.subject, 'bkg_1')
      await t.rejects(
        transact((tables) => first.execution.begin(tables, 'bkg_2')),
        { code: 'idempotency_in_progress' }
      )
      await idempotency.finish(first, { ...answer, body: 'late' })
      await idempotency.finish(second, answer)
      t.same(await idempotency.start(requestOf('cut')), { replay: answer })
    }
  )

  t.test('that failed after it had begun something is resumed at once', async (t) => {
    const first = await begin('failed')
    await transact((tables) => first.execution.begin(tables, 'bkg_1'))
    await idempotency.finish(first, { ...answer, status: 503 })
    t.equal((await begin('failed')).execution.subject, 'bkg_1')
  })

  t.test('that did nothing after all starts afresh', async (t) => {
    const first = await begin('nothing')
    await transact((tables) => first.execution.begin(tables, 'bkg_1'))
    await transact((tables) => first.execution.forget(tables))
    await idempotency.finish(first, { ...answer, status: 503 })
    t.equal((await begin('nothing')).execution.subject, undefined)
  })

  t.test('is a new one three days later', async (t) => {
    await sql`update idempotency_keys set created_at = now() - interval '73 hours' where key = 'once'`.execute(
      db
    )
    t.equal((await begin('once', { fingerprint: 'two' })).execution.subject, undefined)
  })

  t.test('leaves nothing readable of its answer in the database', async (t) => {
    await idempotency.finish(await begin('secret'), { ...answer, body: '{"key":"cgw_secret"}' })
    const { rows } = await sql<{
      answer: Buffer
    }>`select answer from idempotency_keys where key = 'secret'`.execute(db)
    t.notMatch(rows[0]?.answer.toString('latin1'), /cgw_secret/)
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)])
  )
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  // Pairs and not an object, which would put names that are numbers first.
  return {
    members: Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)])
  }
}
