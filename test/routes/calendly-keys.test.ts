import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { hashOf, scopes } from '../../src/core/callers.ts'
import type { Tables } from '../../src/database/tables.ts'
import { loggerOptions } from '../../src/logger.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { calendlyKeysOut } from '../../src/schemas/calendly-keys.ts'
import { type EngineKind, engines, inDatabase } from '../support/database.ts'
import { type Answer, openService, type Service, until } from '../support/service.ts'

const { tokens } = standard
const url = '/api/v1/calendly/keys'
const otherKey = `cgw_${randomBytes(32).toString('base64url')}`
const query = new URLSearchParams({
  event_type: standard.eventTypes.thirtyMinutes,
  start_time: new Date(Date.now() + 86_400_000).toISOString(),
  end_time: new Date(Date.now() + 2 * 86_400_000).toISOString(),
  timezone: 'UTC',
  fresh: 'true'
})

type Shown = { name: string; state: string; health: string; priority: number; last_used_at: string }
type Options = NonNullable<Parameters<typeof openService>[1]>

/** A service whose key of the environment, Ada's, is verified, and all that it says. */
async function start(t: Test, engine: EngineKind, options: Options = {}) {
  const said: string[] = []
  const service = await openService(t, {
    engine,
    logger: { ...loggerOptions('trace'), stream: { write: (line) => void said.push(line) } },
    ...options
  })
  async function call(...asked: Parameters<Service['call']>): Promise<Answer> {
    const answer = await service.call(...asked)
    said.push(answer.text)
    return answer
  }
  const all = async (): Promise<Shown[]> => (await call('GET', url)).body.data
  /** But those revoked. */
  const list = async () => (await all()).filter(({ state }) => state !== 'revoked')
  const find = async (name: string) => (await list()).find((key) => key.name === name)
  const states = async () => (await all()).map(({ name, state }) => `${name} ${state}`)
  // Needs a key, which is verified first.
  await call('GET', '/api/v1/event-types')
  return {
    ...service,
    call,
    said,
    list,
    find,
    states,
    add: (name: string, token: string, idempotencyKey?: string) =>
      call('POST', url, {
        body: { name, token },
        ...(idempotencyKey !== undefined && { idempotencyKey })
      }),
    act: (name: string, action: string) => call('POST', `${url}/${name}/${action}`),
    revoke: (name: string) => call('DELETE', `${url}/${name}`),
    read: () => call('GET', `/api/v1/availability?${query}`)
  }
}

/** A second tenant whose caller has every scope. */
async function addTenant(db: Kysely<Tables>): Promise<void> {
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  const key = { id: 'key_1', tenant_id: 'other', name: 'admin', key_hash: hashOf(otherKey) }
  const created_at = new Date().toISOString()
  await db
    .insertInto('caller_keys')
    .values({ ...key, scopes: [...scopes], created_at })
    .execute()
}

/** All that is kept of keys, and who changed what. */
async function written(db: Kysely<Tables>) {
  const names = ['calendly_keys', 'calendly_key_notices', 'audit_log', 'idempotency_keys']
  const rows = await Promise.all(
    names.map((name) => sql`select row_to_json(x)::text as row from ${sql.table(name)} x`.execute(db))
  )
  const { rows: audit } = await sql<{ entry: string }>`
    select actor || ' ' || action || ' ' || subject as entry from audit_log order by id`.execute(db)
  return { dump: JSON.stringify(rows), audit: audit.map(({ entry }) => entry) }
}

/** Names of the tokens that Calendly was asked with, since the last look. */
async function askedWith({ control }: Pick<Service, 'control'>): Promise<string[]> {
  const { requests } = await control('GET', '/requests')
  await control('DELETE', '/requests')
  return [...new Set<string>(requests.map(({ token }: { token: string }) => token))]
}

for (const engine of engines) {
  t.test(`Calendly keys (${engine})`, async (t) => {
    const service = await start(t, engine, { prepare: addTenant })
    const { call, control, said, list, find, add, act, revoke, read } = service
    t.afterEach(async () => {
      await control('DELETE', '/faults')
      await act('primary', 'promote')
      for (const { name } of await list()) if (name !== 'primary') await revoke(name)
    })

    t.test('the key of the environment is listed, without its token', async (t) => {
      t.equal((await read()).status, 200)
      const answer = await call('GET', url)
      t.same(calendlyKeysOut.parse(answer.body), answer.body)
      const shown = await until(
        () => find('primary'),
        (key) => key?.last_used_at !== null
      )
      t.match(shown, {
        name: 'primary',
        state: 'active',
        health: 'ok',
        priority: 1,
        last_four: '-ada',
        created_at: /Z$/,
        age_days: 0,
        usage_count: Number,
        usage_limit: 10_000,
        last_used_at: /Z$/,
        quota: { limit: 500, remaining: Number, reset_at: /Z$/ }
      })
    })

    t.test('a rotation, from adding the new key to the end of the old one, without a restart', async (t) => {
      const own = await start(t, engine)
      const { add, act, revoke, states, read, call, control } = own
      t.match(await add('2027', tokens.lena, 'add-2027'), {
        status: 201,
        body: { name: '2027', state: 'active', health: 'ok', priority: 2, last_four: 'lena' }
      })
      t.match(await act('2027', 'verify'), { status: 200, body: { health: 'ok' } })
      await askedWith({ control })
      t.equal((await read()).status, 200)
      t.same(await askedWith({ control }), ['ada'], 'a standby is not asked')

      t.match(await act('2027', 'promote'), { status: 200, body: { state: 'active', priority: 1 } })
      t.same(await states(), ['2027 active', 'primary retiring'])
      await askedWith({ control })
      t.equal((await read()).status, 200)
      t.same(await askedWith({ control }), ['lena'], 'from the next request on')

      await control('POST', '/tokens/revoke', { token: 'lena' })
      t.equal((await read()).status, 200, 'the retiring key still helps out')
      await until(
        () => own.find('2027'),
        (key) => key?.health === 'invalid'
      )
      await control('POST', '/tokens/restore', { token: 'lena' })
      t.match(await act('2027', 'verify'), { body: { health: 'ok' } })

      t.equal((await revoke('primary')).status, 204)
      t.equal((await revoke('primary')).status, 204, 'twice is once')
      t.same(await states(), ['2027 active', 'primary revoked'])
      await askedWith({ control })
      t.equal((await read()).status, 200)
      t.same(await askedWith({ control }), ['lena'])
      t.match(await call('GET', '/api/health/calendly'), { body: { status: 'ok' } })

      await own.app.close()
      const { dump, audit } = await inDatabase(own.database, written)
      for (const token of Object.values(tokens)) {
        t.notMatch(dump, token)
        t.notMatch(dump, Buffer.from(token).toString('hex'))
      }
      t.same(audit, [
        'system calendly_key.added primary',
        'system calendly_key.accepted primary',
        'caller:admin calendly_key.added 2027',
        'caller:admin calendly_key.promoted 2027',
        'system calendly_key.refused 2027',
        'caller:admin calendly_key.accepted 2027',
        'caller:admin calendly_key.revoked primary'
      ])
    })

    t.test(
      'a key that Calendly refuses is invalid when asked about, and ok at once when it works again',
      async (t) => {
        await add('spare', tokens.adaSpare)
        await control('POST', '/tokens/revoke', { token: 'ada-spare' })
        t.match(await act('spare', 'verify'), { status: 200, body: { state: 'active', health: 'invalid' } })
        t.match(await act('spare', 'promote'), { status: 422, body: { code: 'key_rejected' } })
        t.match(await find('spare'), { priority: 2 })
        await control('POST', '/tokens/restore', { token: 'ada-spare' })
        t.match(await act('spare', 'verify'), { status: 200, body: { state: 'active', health: 'ok' } })
      }
    )

    t.test('each problem has its code, and none says a token', async (t) => {
      await add('spare', tokens.adaSpare)
      const secret = `secret-${randomBytes(16).toString('hex')}`
      t.match(await add('x', secret), { status: 422, body: { code: 'key_rejected' } })
      t.match(await add('x', tokens.mei), { status: 422, body: { code: 'key_other_organization' } })
      for (const [name, token, pointer] of [
        ['primary', tokens.lena, '#/name'],
        ['secondary', tokens.lena, '#/name'],
        ['spare', tokens.lena, '#/name'],
        ['../x', tokens.lena, '#/name'],
        ['', tokens.lena, '#/name'],
        ['x', tokens.ada, '#/token'],
        ['x', tokens.adaSpare, '#/token'],
        ['x', `${secret} `, '#/token'],
        ['x', `${secret}\n`, '#/token'],
        ['x', `${secret}\u00e9`, '#/token'],
        ['x', secret.repeat(200), '#/token'],
        ['x', '', '#/token']
      ] as const) {
        t.match(await add(name, token), {
          status: 400,
          body: { code: 'validation_failed', errors: [{ pointer }] }
        })
      }
      const more = { body: { name: 'x', token: secret, state: 'active' } }
      t.match(await call('POST', url, more), { status: 400, body: { errors: [{ pointer: '#/state' }] } })
      for (const action of ['promote', 'verify', 'retire']) {
        t.match(await act('nobody', action), { status: 404, body: { code: 'not_found' } }, action)
      }
      t.match(await revoke('nobody'), { status: 404, body: { code: 'not_found' } })
      await revoke('spare')
      t.match(await act('spare', 'promote'), { status: 422, body: { code: 'key_rejected' } })
      t.equal((await act('spare', 'retire')).status, 200)

      await control('POST', '/faults', { kind: 'status', status: 500, match: { path: '/users/me' } })
      t.match(await add('x', tokens.lena), { status: 503, body: { code: 'calendly_unavailable' } })
      t.match(await list(), [{ name: 'primary', state: 'active' }])
      for (const token of [secret, ...Object.values(tokens)]) t.notMatch(said.join('\n'), token)
    })

    t.test('a repeated request with its idempotency key adds one key', async (t) => {
      const first = await add('spare', tokens.adaSpare, 'add-spare')
      const second = await add('spare', tokens.adaSpare, 'add-spare')
      t.equal(first.status, 201)
      t.same(second.body, first.body)
      t.equal(second.headers['idempotent-replayed'], 'true')
      t.match(await add('spare', tokens.lena, 'add-spare'), {
        status: 422,
        body: { code: 'idempotency_key_reused' }
      })
      t.equal((await list()).length, 2)
    })

    t.test('promotions at once end in one order with one key first', async (t) => {
      await add('b', tokens.lena)
      await add('c', tokens.adaSpare)
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => act(n % 2 === 0 ? 'b' : 'c', 'promote'))
      )
      t.ok(answers.every(({ status }) => status === 200))
      const keys = await list()
      t.same(
        keys.map(({ priority }) => priority),
        [1, 2, 3]
      )
      t.same(
        keys.map(({ state }) => state),
        ['active', 'retiring', 'retiring']
      )
    })

    t.test('a caller needs the scope, and another tenant sees no key of ours', async (t) => {
      await add('b', tokens.lena)
      const { key } = (
        await call('POST', '/api/v1/caller-keys', { body: { name: 'x', scopes: ['keys:read'] } })
      ).body
      t.equal((await call('GET', url, { key })).status, 200)
      t.equal((await call('POST', `${url}/b/verify`, { key })).status, 403)
      t.match(await call('GET', url, { key: otherKey }), { status: 200, body: { data: [] } })
      for (const action of ['promote', 'verify', 'retire']) {
        t.equal((await call('POST', `${url}/b/${action}`, { key: otherKey })).status, 404)
      }
      t.equal((await call('DELETE', `${url}/b`, { key: otherKey })).status, 404)
      const body = { name: 'theirs', token: tokens.mei }
      t.match(await call('POST', url, { key: otherKey, body }), {
        status: 503,
        body: { code: 'calendly_unavailable' }
      })
    })
  })
}

if (engines.includes('postgresql')) {
  t.test('a replica follows what another one was told, within seconds', async (t) => {
    const one = await start(t, 'postgresql')
    const shared = { DATABASE_URL: one.database.url ?? '', DATA_DIR: one.database.dataDir }
    const other = await start(t, 'embedded', { sandbox: one.sandbox ?? null, env: shared })
    await one.add('b', tokens.lena)
    await one.act('b', 'promote')
    await one.revoke('primary')
    const toldAt = Date.now()
    await until(
      async () => {
        await askedWith(one)
        t.equal((await other.read()).status, 200)
        return askedWith(one)
      },
      (names) => names.join() === 'lena'
    )
    t.comment(`after ${Date.now() - toldAt} ms`)
    t.same(await other.states(), ['b active', 'primary revoked'])
  })
}
