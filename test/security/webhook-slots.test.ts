import { randomBytes, randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import t from 'tap'
import { hashOf, scopes } from '../../src/core/callers.ts'
import type { Tables } from '../../src/database/tables.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

const rotation = '/api/v1/calendly/subscription/rotate-signing-key'

const otherKey = 'cgw_key_of_another_tenant_with_every_scope'

async function addTenant(db: Kysely<Tables>): Promise<void> {
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  await db
    .insertInto('caller_keys')
    .values({
      id: 'key_other',
      tenant_id: 'other',
      name: 'admin',
      key_hash: hashOf(otherKey),
      scopes: [...scopes],
      created_at: new Date().toISOString()
    })
    .execute()
}

/** Slots as somebody might make them up; never one of ours. */
const forged = [
  ...Array.from({ length: 50 }, () => randomBytes(16).toString('hex')),
  ...Array.from({ length: 10 }, () => randomUUID()),
  '%00',
  `${'f'.repeat(31)}%00`,
  '%ff',
  '%ed%a0%80',
  '..',
  '..%2f..%2fcalendly',
  "';drop/**/table/**/webhook_slots;--",
  '%25',
  '0',
  'null',
  'undefined',
  '__proto__',
  'x'.repeat(64),
  'x'.repeat(65),
  'x'.repeat(400),
  'é',
  '%20'
]

for (const engine of engines) {
  t.test(`slots of the webhook intake (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      webhooks: true,
      prepare: addTenant,
      env: { SUBSCRIPTION_CHECK_SECONDS: '3600' }
    })
    const { app, call, control } = service
    await until(
      () => call('GET', '/api/v1/calendly/subscription'),
      ({ body }) => body.state === 'active'
    )

    /** A new slot, and the key that Calendly was told to sign with there. */
    async function rotate(): Promise<{ slot: string; key: string }> {
      const { body } = await call('POST', rotation)
      const { requests } = await control('GET', '/requests')
      const { slot } = body.signing_key
      const made = requests.findLast(({ body }: { body: { url?: string } | null }) =>
        body?.url?.endsWith(slot)
      )
      return { slot, key: made.body.signing_key }
    }

    let sent = 0
    async function statusAt(slot: string, key: string): Promise<number> {
      const body = webhookBody({ id: `SLOT${++sent}` })
      const headers = { 'calendly-webhook-signature': signatureOf(key, body) }
      const path = slot === '' ? '' : `/${slot}`
      return (await call('POST', `/api/webhooks/calendly${path}`, { key: null, body, headers })).status
    }

    const one = await rotate()
    const two = await rotate()

    t.test('a key is tried on its own path only', async (t) => {
      const paths: [slot: string, key: string][] = [
        ['', standard.signingKey],
        [one.slot, one.key],
        [two.slot, two.key]
      ]
      for (const [at, [slot]] of paths.entries()) {
        for (const [of, [, key]] of paths.entries()) {
          t.equal(await statusAt(slot, key), at === of ? 204 : 401, `path ${at}, key ${of}`)
        }
      }
    })

    t.test('a forged slot is refused like a forged signature, whatever it is', async (t) => {
      for (const slot of forged) {
        for (const key of [standard.signingKey, one.key, '']) {
          const status = await statusAt(slot, key)
          t.ok([400, 401, 404].includes(status), `${slot.slice(0, 40)}: ${status}`)
        }
      }
      t.equal(await statusAt(one.slot.toUpperCase().replace(/^\d+$/, 'X'), one.key), 401)
    })

    t.test('nobody learns a key by asking', async (t) => {
      const { text } = await call('GET', '/api/v1/calendly/subscription')
      t.notOk(text.includes(two.key))
      t.notOk(text.includes('signing_key":"'))
      for (const { sealedKey } of await app.database.webhookSlots.listAll()) {
        t.notOk(sealedKey.includes(one.key) || sealedKey.includes(two.key))
      }
    })

    t.test('another tenant sees and changes nothing of it', async (t) => {
      const before = (await call('GET', '/api/v1/calendly/subscription')).body
      const { body } = await call('GET', '/api/v1/calendly/subscription', { key: otherKey })
      t.match(body, {
        state: 'missing',
        callback_url: null,
        signing_key: { slot: null },
        last_delivery_at: null
      })
      for (const path of ['/api/v1/calendly/subscription', rotation]) {
        t.equal((await call('POST', path, { key: otherKey })).status, 503)
      }
      t.same((await call('GET', '/api/v1/calendly/subscription')).body, before)
    })

    t.test('a slot that has retired is refused within seconds', async (t) => {
      t.equal(await statusAt(two.slot, two.key), 204)
      await app.database.transact(({ webhookSlots }) => webhookSlots.retireOthers('default', undefined, -1))
      const status = await until(
        () => statusAt(two.slot, two.key),
        (status) => status !== 204
      )
      t.equal(status, 401)
      t.equal(await statusAt(one.slot, one.key), 204, 'the one before has its time still')
    })
  })
}
