import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { tablesOf } from '../../src/plugins/database.ts'
import { inDatabase } from '../support/database.ts'
import { aBooking } from '../support/samples.ts'
import { openService } from '../support/service.ts'
import { stripeEvent, stripeSignatureOf } from '../support/stripe-webhook.ts'

const secrets = ['whsec_a_secret_of_the_endpoint', 'whsec_the_one_before_it'] as const
const [secret] = secrets
const runs = 3_000
const atOnce = 50

t.setTimeout(120_000)

/** The original of every forgery. It never arrives itself. */
const original = stripeEvent({ id: 'evt_ë' })
const header = stripeSignatureOf(secret, original)
const [time = '', signature = ''] = header.split(',').map((part) => part.replace(/^\w+=/, ''))

type Attack = { header: string | undefined; body: Buffer | string }
const withHeader = (value: string | undefined, body: Buffer | string = original): Attack => ({
  header: value,
  body
})
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const otherThan = (value: string) => (other: string) => other !== value
const printable = fc.string({ unit: fc.constantFrom(...'t=v1,0 aZ"\'%;\\/{}:'), maxLength: 200 })

const attacks: Record<string, fc.Arbitrary<Attack>> = {
  'no header': fc.constant(withHeader(undefined)),
  'any header': printable.map((value) => withHeader(value)),
  'any signature': hex(64)
    .filter(otherThan(signature))
    .map((value) => withHeader(`t=${time},v1=${value}`)),
  'a signature of other letters': fc
    .string({ unit: fc.constantFrom(...'0é\u00ff€'), minLength: 64, maxLength: 64 })
    .map((value) => withHeader(Buffer.from(`t=${time},v1=${value}`).toString('latin1'))),
  'a signature cut short': fc
    .nat({ max: 63 })
    .map((length) => withHeader(`t=${time},v1=${signature.slice(0, length)}`)),
  'a signature made longer': hex(8).map((more) => withHeader(`${header}${more}`)),
  'another time': fc
    .integer({ min: 0, max: 2 ** 40 })
    .filter((at) => String(at) !== time)
    .map((at) => withHeader(`t=${at},v1=${signature}`)),
  'a second time': fc.nat({ max: 2 ** 31 - 1 }).map((at) => withHeader(`${header},t=${at}`)),
  'an old signature': fc
    .integer({ min: 302, max: 10_000_000 })
    .map((seconds) => withHeader(stripeSignatureOf(secret, original, Date.now() - seconds * 1000))),
  'another name': fc
    .constantFrom('v0', 'v2', 'V1', 'sha256')
    .map((name) => withHeader(`t=${time},${name}=${signature}`)),
  'another secret': fc
    .string({ minLength: 1, maxLength: 40 })
    .filter((other) => !(secrets as readonly string[]).includes(other))
    .map((other) => withHeader(stripeSignatureOf(other, original))),
  'a changed byte': fc
    .tuple(fc.nat({ max: Buffer.byteLength(original) - 1 }), fc.integer({ min: 1, max: 255 }))
    .map(([index, mask]) => {
      const bytes = Buffer.from(original)
      bytes[index] = (bytes[index] ?? 0) ^ mask
      return withHeader(header, bytes)
    }),
  'the same JSON in other bytes': fc
    .constantFrom(
      JSON.stringify(JSON.parse(original), null, 2),
      original.replace('ë', '\\u00eb'),
      `${original}\n`,
      `\ufeff${original}`,
      `${original}\0`
    )
    .map((body) => withHeader(header, body)),
  'any body': fc.uint8Array({ maxLength: 500 }).map((bytes) => withHeader(header, Buffer.from(bytes)))
}
const anyAttack = fc.oneof(
  ...Object.entries(attacks).map(([kind, attack]) => attack.map((sent) => ({ kind, ...sent })))
)

const service = await openService(t, {
  sandbox: null,
  env: { STRIPE_WEBHOOK_SECRET: secrets[0], STRIPE_WEBHOOK_SECRET_SECONDARY: secrets[1] },
  prepare: async (db) => {
    await tablesOf(db).bookings.insert(aBooking({ id: 'bkg_1' }))
    for (const id of ['ch_1', 'ch_2']) {
      await sql`insert into charges (tenant_id, id, booking_id, currency, captured, refunded, livemode, looked_at,
        created_at) values ('default', ${id}, 'bkg_1', 'usd', 100, 0, false, now(), now())`.execute(db)
    }
  }
})

async function deliver({ header: value, body }: Attack): Promise<number> {
  const headers = value === undefined ? {} : { 'stripe-signature': value }
  const { status } = await service.call('POST', '/api/webhooks/stripe', { key: null, body, headers })
  return status
}

t.test('thousands of forgeries are refused while genuine deliveries are accepted', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
  t.comment(`FUZZ_SEED=${seed}`)
  const forgeries = fc.sample(anyAttack, { numRuns: runs, seed })
  const wrong: unknown[] = []
  const genuine = stripeEvent({ object: { object: 'charge', id: 'ch_2' } })
  for (let from = 0; from < runs; from += atOnce) {
    await Promise.all(
      forgeries.slice(from, from + atOnce).map(async (forgery) => {
        const status = await deliver(forgery)
        if (status !== 401) wrong.push({ status, ...forgery, body: forgery.body.toString() })
      })
    )
    if (from % 500 > 0) continue
    for (const by of secrets) t.equal(await deliver(withHeader(stripeSignatureOf(by, genuine), genuine)), 204)
  }
  t.same(wrong.slice(0, 3), [], 'a forgery was not refused')
  const tried = new Set(forgeries.map(({ kind }) => kind))
  t.same([...tried].sort(), Object.keys(attacks).sort(), 'every kind of attack was tried')
})

t.test('none of them had a charge read, and the process lives', async (t) => {
  t.equal((await service.call('GET', '/api/health/ready')).status, 200)
  await service.app.close()
  const due = await inDatabase(service.database, (db) =>
    db.selectFrom('charges').select('id').where('look_at', 'is not', null).execute()
  )
  t.same(due, [{ id: 'ch_2' }])
})
