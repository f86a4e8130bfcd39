import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { AppError } from '../../src/core/errors.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import { elsewhere, openReplica, owner } from '../support/calendly-keys.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const caller = { tenantId: 'default', name: 'operator', scopes: [] }
const stranger = { ...caller, tenantId: 'other' }
const keyless: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }

for (const kind of engines) {
  t.test(`Calendly keys as a resource (${kind})`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const { db } = engine
    await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
    let system = fakeSystem(tuesday)
    t.beforeEach(async () => {
      system = fakeSystem(tuesday)
      for (const table of ['calendly_keys', 'calendly_key_notices', 'audit_log']) {
        await sql`delete from ${sql.table(table)}`.execute(db)
      }
    })

    /** A replica whose Calendly accepts the token of its environment and `token-of-b` to `-d`. */
    async function start(options: Omit<Parameters<typeof openReplica>[1], 'system'> = {}) {
      const environment = { primary: 'token-1111' }
      const replica = openReplica(engine, { environment, ...options, system })
      for (const token of ['token-1111', 'token-of-b', 'token-of-c', 'token-of-d']) {
        replica.accepted.set(token, owner)
      }
      for (const key of await replica.source.load()) await replica.source.accepted(key, owner)
      const add = (name: string, token = `token-of-${name}`, execution = keyless) =>
        replica.add(caller, { name, token }, execution)
      const states = async () => (await replica.list(caller)).map(({ name, state }) => `${name} ${state}`)
      return { ...replica, addAs: replica.add, add, states }
    }
    const audit = async () => {
      const { rows } = await sql<{ entry: string }>`
        select actor || ' ' || action || ' ' || subject as entry from audit_log
        where action not in ('calendly_key.accepted') order by id offset 1`.execute(db)
      return rows.map(({ entry }) => entry)
    }
    const notices = async () => {
      const { rows } = await sql<{ notice: string }>`
        select name || ' ' || kind as notice from calendly_key_notices order by id`.execute(db)
      return rows.map(({ notice }) => notice)
    }

    t.test(
      'a key is verified, kept as the last in order, shown without its token and taken up',
      async (t) => {
        const { add, list, syncs, lines } = await start()
        const added = await add('b')
        t.same(added, {
          name: 'b',
          state: 'active',
          health: 'ok',
          priority: 2,
          lastFour: 'of-b',
          createdAt: tuesday,
          ageDays: 0,
          usageCount: 0,
          usageLimit: 1_000,
          lastUsedAt: undefined,
          quota: { limit: 500, remaining: 480, resetAt: tuesday + 60_000 }
        })
        t.match(await list(caller), [{ name: 'primary', priority: 1 }, added])
        t.equal(syncs(), 1)
        t.same(await audit(), ['caller:operator calendly_key.added b'])
        const { rows } = await sql`select detail from audit_log`.execute(db)
        t.notMatch(JSON.stringify([rows, lines, await list(caller)]), 'token-of-b')
      }
    )

    t.test('a token that Calendly refuses, or another organization’s, is not kept', async (t) => {
      const { add, accepted, states } = await start()
      await t.rejects(add('b', 'unknown-token'), { code: 'key_rejected' })
      accepted.set('token-of-mei', elsewhere)
      await t.rejects(add('b', 'token-of-mei'), { code: 'key_other_organization' })
      t.same(await states(), ['primary active'])
      t.same(await audit(), [])
    })

    t.test('the first key may be of any organization', async (t) => {
      const { add, accepted, states } = await start({ environment: {} })
      accepted.set('token-of-mei', elsewhere)
      await add('mei', 'token-of-mei')
      await t.rejects(add('b'), { code: 'key_other_organization' })
      t.same(await states(), ['mei active'])
    })

    t.test('two organizations added at once are decided for one', async (t) => {
      const { add, accepted, states } = await start({ environment: {} })
      accepted.set('token-of-mei', elsewhere)
      const added = await Promise.allSettled([add('b'), add('mei', 'token-of-mei')])
      t.equal(added.filter(({ status }) => status === 'fulfilled').length, 1)
      t.equal((await states()).length, 1)
    })

    t.test('a name or a token in use is refused before Calendly is asked', async (t) => {
      const { add, identified } = await start()
      await add('b')
      const asked = identified.length
      for (const [name, token, pointer] of [
        ['primary', 'token-of-c', '#/name'],
        ['secondary', 'token-of-c', '#/name'],
        ['b', 'token-of-c', '#/name'],
        ['c', 'token-of-b', '#/token'],
        ['c', 'token-1111', '#/token']
      ] as const) {
        await t.rejects(add(name, token), { code: 'validation_failed', faults: [{ pointer }] })
      }
      t.equal(identified.length, asked)
    })

    t.test('the same name or token wanted by many at once is given once', async (t) => {
      const { add, states, keys } = await start()
      const names = await Promise.allSettled(['b', 'c', 'd'].map((each) => add('x', `token-of-${each}`)))
      t.equal(names.filter(({ status }) => status === 'fulfilled').length, 1)
      await keys.remove('default', 'x')
      const tokens = await Promise.allSettled(['x', 'y', 'z'].map((name) => add(name, 'token-of-b')))
      t.equal(tokens.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const result of [...names, ...tokens]) {
        if (result.status === 'rejected') t.match(result.reason, { code: 'validation_failed' })
      }
      t.equal((await states()).length, 2)
    })

    t.test('a run that was cut short after the key was kept finds it and adds no other', async (t) => {
      const { add, states } = await start()
      const begun: string[] = []
      const begin: Execution['begin'] = async (_tables, subject) => {
        begun.push(subject)
      }
      await add('b', 'token-of-b', { ...keyless, begin })
      t.same(begun, ['b'])
      const resumed = { ...keyless, subject: 'b' }
      t.match(await add('b', 'token-of-b', resumed), { name: 'b', state: 'active' })
      await t.rejects(add('b', 'token-of-c', resumed), { code: 'validation_failed' })
      t.same(await states(), ['primary active', 'b active'])
    })

    t.test(
      'a rotation: the new key is first at once, the old one used last for a day, then revoked',
      async (t) => {
        const { add, promote, states, maintain, list, keys, syncs, tokens } = await start()
        await add('b')
        t.match(await promote(caller, 'b'), { name: 'b', state: 'active', priority: 1 })
        t.same(await states(), ['b active', 'primary retiring'])
        t.same(await promote(caller, 'b'), (await list(caller))[0], 'again it is the same')
        await system.sleep(dayMs - 1)
        await maintain()
        t.same(await states(), ['b active', 'primary retiring'])
        await system.sleep(1)
        const before = syncs()
        await maintain()
        t.same(await states(), ['b active', 'primary revoked'])
        t.equal(syncs(), before + 1)
        t.same(await tokens(), ['b: token-of-b'])

        await add('c')
        await promote(caller, 'c')
        await system.sleep(dayMs)
        await maintain()
        t.same(await states(), ['c active', 'b revoked', 'primary revoked'])
        t.match(
          await keys.list('default'),
          [{ sealedToken: Buffer }, { sealedToken: undefined }],
          'its token is erased'
        )
        t.same(await audit(), [
          'caller:operator calendly_key.added b',
          'caller:operator calendly_key.promoted b',
          'system calendly_key.revoked primary',
          'caller:operator calendly_key.added c',
          'caller:operator calendly_key.promoted c',
          'system calendly_key.revoked b'
        ])
        t.same(await notices(), ['b rotated', 'c rotated'])
      }
    )

    t.test('promotions at once end in one order with one key first', async (t) => {
      const { add, promote, list } = await start()
      for (const name of ['b', 'c', 'd']) await add(name)
      const pairs = [
        ['b', 'c'],
        ['primary', 'b'],
        ['c', 'primary'],
        Array.from({ length: 20 }, (_, n) => 'bc'[n % 2])
      ]
      for (const names of [...pairs, ...pairs]) {
        await Promise.all(names.map((name = '') => promote(caller, name)))
        const keys = await list(caller)
        t.same(
          keys.map(({ priority, state }) => `${priority} ${state}`),
          ['1 active', '2 active', '3 retiring', '4 retiring']
        )
        t.ok(names.includes(keys[0]?.name))
        t.equal(keys[1]?.name, 'd')
      }
    })

    t.test('a promotion verifies first: nothing moves for a key that Calendly refuses', async (t) => {
      const { add, promote, accepted, states, list } = await start()
      await add('b')
      accepted.delete('token-of-b')
      await t.rejects(promote(caller, 'b'), { code: 'key_rejected' })
      t.same(await states(), ['primary active', 'b active'])
      t.match((await list(caller))[1], { health: 'invalid' })
      accepted.set('token-of-b', elsewhere)
      await t.rejects(promote(caller, 'b'), { code: 'key_other_organization' })
      t.same(await states(), ['primary active', 'b active'])
    })

    t.test(
      'a key refused at its verification is invalid, and good at once when it is accepted',
      async (t) => {
        const { add, verify, accepted, lines } = await start()
        await add('b')
        accepted.delete('token-of-b')
        t.match(await verify(caller, 'b'), { name: 'b', state: 'active', health: 'invalid' })
        t.match(await verify(caller, 'b'), { health: 'invalid' })
        t.same(await notices(), ['b invalid'])
        t.equal(lines.filter(({ warning }) => warning === 'invalid').length, 1)
        accepted.set('token-of-b', owner)
        t.match(await verify(caller, 'b'), { health: 'ok' })
        t.match(await audit(), [/added b/, 'caller:operator calendly_key.refused b'])
      }
    )

    t.test('a key that is not known yet becomes active by its verification', async (t) => {
      const { verify, states } = await start({
        environment: { primary: 'token-1111', secondary: 'token-of-d' }
      })
      await sql`update calendly_keys set state = 'pending', organization = null where name = 'secondary'`.execute(
        db
      )
      t.match(await verify(caller, 'secondary'), { state: 'active' })
      t.same(await states(), ['primary active', 'secondary active'])
    })

    t.test('a retiring key may be promoted again, a revoked one may not', async (t) => {
      const { add, promote, verify, retire, revoke, states } = await start()
      await add('b')
      t.match(await retire(caller, 'b'), { state: 'retiring', priority: 2 })
      await promote(caller, 'b')
      t.same(await states(), ['b active', 'primary retiring'])
      await promote(caller, 'primary')
      await revoke(caller, 'b')
      await t.rejects(promote(caller, 'b'), { code: 'key_rejected' })
      await t.rejects(verify(caller, 'b'), { code: 'key_rejected' })
      t.match(await retire(caller, 'b'), { state: 'revoked' }, 'and retiring it does not revive it')
      await revoke(caller, 'b')
      t.same(await states(), ['primary active', 'b revoked'])
      t.equal((await audit()).filter((entry) => entry.endsWith('revoked b')).length, 1)
    })

    t.test('retiring twice does not put off the end, which comes once on many replicas', async (t) => {
      const { add, retire, maintain, states } = await start()
      const replicas = [await start(), await start()]
      await add('b')
      await retire(caller, 'b')
      await system.sleep(dayMs / 2)
      await retire(caller, 'b')
      await system.sleep(dayMs / 2)
      await Promise.all([maintain(), ...replicas.map((replica) => replica.maintain())])
      t.same(await states(), ['primary active', 'b revoked'])
      t.equal((await audit()).filter((entry) => entry === 'system calendly_key.revoked b').length, 1)
    })

    t.test('a revoked name may be used again, for a key that begins anew', async (t) => {
      const { add, revoke, list, tokens } = await start()
      await add('b')
      await revoke(caller, 'b')
      await system.sleep(dayMs)
      await add('b', 'token-of-c')
      t.match((await list(caller))[1], { name: 'b', state: 'active', ageDays: 0, lastFour: 'of-c' })
      t.same(await tokens(), ['primary: token-1111', 'b: token-of-c'])
    })

    t.test('the last key may be revoked or retired, which is worth a warning', async (t) => {
      const { add, revoke, retire, lines } = await start()
      await add('b')
      await revoke(caller, 'primary')
      t.same(lines, [])
      await retire(caller, 'b')
      t.match(lines, [{ level: 'warn', calendly_key: 'b', phrase: 'no active Calendly key is left' }])
      await revoke(caller, 'b')
      t.equal(lines.length, 2)
    })

    t.test('an unknown name is not found, whatever is wanted of it', async (t) => {
      const { verify, promote, retire, revoke } = await start()
      for (const act of [verify, promote, retire, revoke]) {
        await t.rejects(act(caller, 'nobody') as Promise<unknown>, { code: 'not_found' })
      }
    })

    t.test('another tenant sees and changes nothing', async (t) => {
      const { add, addAs, list, verify, promote, retire, revoke } = await start()
      await add('b')
      t.same(await list(stranger), [])
      await t.rejects(addAs(stranger, { name: 'c', token: 'token-of-c' }, keyless), {
        code: 'calendly_unavailable'
      })
      for (const act of [verify, promote, retire, revoke]) {
        await t.rejects(act(stranger, 'b') as Promise<unknown>, { code: 'not_found' })
      }
    })

    t.test('with Calendly away nothing is changed, and what needs it says so', async (t) => {
      const { add, verify, promote, retire, calendly, states } = await start()
      await add('b')
      calendly.identify = async () => {
        throw new AppError('calendly_unavailable')
      }
      await t.rejects(add('c'), { code: 'calendly_unavailable' })
      await t.rejects(verify(caller, 'b'), { code: 'calendly_unavailable' })
      await t.rejects(promote(caller, 'b'), { code: 'calendly_unavailable' })
      t.same(await states(), ['primary active', 'b active'])
      await retire(caller, 'primary')
      t.same(await states(), ['b active', 'primary retiring'])
    })

    t.test('a change stands when it could not be taken up here', async (t) => {
      const { add, calendly, states, lines } = await start()
      calendly.syncKeys = async () => {
        throw new Error('the database is away')
      }
      t.match(await add('b'), { name: 'b' })
      t.same(await states(), ['primary active', 'b active'])
      t.match(lines, [{ level: 'warn' }])
    })

    t.test('warnings are given when due, each once across replicas and starts', async (t) => {
      const replicas = [await start(), await start(), await start()]
      const [{ keys }] = replicas as [Awaited<ReturnType<typeof start>>]
      const given = async () => {
        for (const { lines } of replicas) lines.length = 0
        await Promise.all(replicas.map(({ maintain }) => maintain()))
        return replicas
          .flatMap(({ lines }) => lines.map(({ level, warning }) => `${level} ${warning}`))
          .sort()
      }
      t.same(await given(), [])
      await system.sleep(60 * dayMs)
      t.same(await given(), ['warn age_60'])
      t.same(await given(), [])
      const [{ fingerprint = '' } = {}] = await keys.list('default')
      await replicas[0]?.source.used(new Map([[fingerprint, { count: 800, lastUsedAt: tuesday }]]))
      t.same(await given(), ['warn usage_80'])
      await system.sleep(30 * dayMs)
      t.same(await given(), ['warn age_75', 'warn age_85', 'warn expired'])
      await (await start()).maintain()
      t.same(await given(), [])
      t.same((await notices()).sort(), [
        'primary age_60',
        'primary age_75',
        'primary age_85',
        'primary expired',
        'primary usage_80'
      ])
      t.match(await replicas[0]?.list(caller), [
        { state: 'expiring', health: 'ok', ageDays: 90, usageCount: 800 }
      ])
    })

    t.test(
      'tokens are encrypted anew under a changed key, after which the old one is not needed',
      async (t) => {
        const [first, second] = [randomBytes(32), randomBytes(32)]
        const before = await start({ encryptionKey: first })
        await before.add('b')
        await before.add('c')
        const sealed = async () =>
          (await before.keys.list('default')).map(({ sealedToken }) => sealedToken?.toString('hex'))
        const old = await sealed()
        const rotating = [0, 1].map(() => start({ encryptionKey: second, previousEncryptionKey: first }))
        const [one, other] = (await Promise.all(rotating)) as [typeof before, typeof before]
        t.same(await one.tokens(), ['primary: token-1111', 'b: token-of-b', 'c: token-of-c'])
        await Promise.all([one.maintain(), other.maintain()])
        const fresh = await sealed()
        t.ok(fresh.slice(1).every((each, n) => each !== undefined && each !== old[n + 1]))
        await one.maintain()
        t.same(await sealed(), fresh, 'once')
        const after = await start({ encryptionKey: second })
        t.same(await after.tokens(), ['primary: token-1111', 'b: token-of-b', 'c: token-of-c'])
      }
    )

    t.test('a token that cannot be decrypted stays as it is, and does not stop the upkeep', async (t) => {
      const lost = await start({ encryptionKey: randomBytes(32) })
      await lost.add('b')
      const replica = await start({ encryptionKey: randomBytes(32), previousEncryptionKey: randomBytes(32) })
      await replica.add('c')
      await replica.maintain()
      t.same(await lost.tokens(), ['primary: token-1111', 'b: token-of-b'])
      await t.rejects(replica.verify(caller, 'b'), { code: 'key_rejected' })
    })
  })
}
