import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { request } from 'undici'
import { inDatabase } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

const primary = 'a-signing-key-of-the-service'
const secondary = 'the-one-before-it'
const path = '/api/webhooks/calendly'
const runs = 10_000
const atOnce = 50

t.setTimeout(180_000)

type Attack = {
  kind: string
  path?: string
  headers: Record<string, string | string[]>
  body: Buffer | string
}

const env = { CALENDLY_WEBHOOK_SIGNING_KEY: primary, CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: secondary }
const service = await openService(t, { sandbox: null, env })
let genuine = 0

async function deliver({ path: to = path, headers, body }: Omit<Attack, 'kind'>): Promise<number> {
  const answer = await request(`${service.address}${to}`, { method: 'POST', headers, body })
  await answer.body.dump()
  return answer.statusCode
}

/** A delivery that must be accepted and kept. */
async function deliverGenuine(key: string, body: string | Buffer = webhookBody({ id: `GENUINE${genuine}` })) {
  genuine++
  return deliver({
    headers: { 'content-type': 'application/json', 'calendly-webhook-signature': signatureOf(key, body) },
    body
  })
}

/** The original of every forgery. It never arrives itself. */
const original = webhookBody({ id: 'ORIGINAL' })
const header = signatureOf(primary, original)
const [timestamp = '', signature = ''] = header.split(',').map((part) => part.replace(/^\w+=/, ''))
const withHeader = (value: string | string[], body: Buffer | string = original) => ({
  headers: { 'content-type': 'application/json', 'calendly-webhook-signature': value },
  body
})

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const otherThan = (value: string) => (other: string) => other !== value
const printable = fc.string({ unit: fc.constantFrom(...'t=v1,0 aZ"\'%;\\/{}:'), maxLength: 200 })
const at = fc.nat({ max: original.length - 1 })
const reserialised = [
  JSON.stringify(JSON.parse(original), null, 2),
  JSON.stringify(JSON.parse(original), null, 1).replaceAll('\n', ''),
  JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(original)).reverse())),
  original.replaceAll('/', '\\/'),
  original.replaceAll('ë', '\\u00eb'),
  original.replace('"created_at"', '"event":"invitee.canceled","created_at"'),
  `${original}\n`,
  ` ${original}`,
  `\ufeff${original}`,
  `${original}\0`
]

const attacks: Record<string, fc.Arbitrary<Omit<Attack, 'kind'>>> = {
  'no header': fc.constant({ headers: { 'content-type': 'application/json' }, body: original }),
  'any header': printable.map((value) => withHeader(value)),
  'a random signature': hex(64)
    .filter(otherThan(signature))
    .map((value) => withHeader(`t=${timestamp},v1=${value}`)),
  'one digit changed': fc.nat({ max: 63 }).map((index) => {
    const digit = ((Number.parseInt(signature.charAt(index), 16) + 1) % 16).toString(16)
    return withHeader(`t=${timestamp},v1=${signature.slice(0, index)}${digit}${signature.slice(index + 1)}`)
  }),
  'a signature cut short': fc
    .nat({ max: 63 })
    .map((length) => withHeader(`t=${timestamp},v1=${signature.slice(0, length)}`)),
  'a signature made longer': fc
    .integer({ min: 1, max: 64 })
    .chain(hex)
    .map((more) => withHeader(`t=${timestamp},v1=${signature}${more}`)),
  'only its beginning right': fc.integer({ min: 1, max: 63 }).chain((length) =>
    hex(64 - length)
      .filter(otherThan(signature.slice(length)))
      .map((rest) => withHeader(`t=${timestamp},v1=${signature.slice(0, length)}${rest}`))
  ),
  'no hexadecimal': fc
    .tuple(fc.nat({ max: 63 }), fc.constantFrom('g', 'z', ' ', '-', '=', '\t'))
    .map(([index, odd]) =>
      withHeader(`t=${timestamp},v1=${signature.slice(0, index)}${odd}${signature.slice(index + 1)}`)
    ),
  'another timestamp': fc
    .string({ unit: fc.constantFrom(...'0123456789'), maxLength: 14 })
    .filter(otherThan(timestamp))
    .map((t) => withHeader(`t=${t},v1=${signature}`)),
  'a timestamp that is no number': fc
    .constantFrom(`${timestamp}.0`, `+${timestamp}`, `-${timestamp}`, `0x${timestamp}`, 'NaN', '1e9', '∞')
    .map((t) => withHeader(Buffer.from(`t=${t},v1=${signature}`).toString('latin1'))),
  'several timestamps': fc
    .constantFrom(timestamp, '0', '', '1')
    .map((t) => withHeader(`t=${timestamp},t=${t},v1=${signature}`)),
  'too many signatures': fc
    .array(hex(64), { minLength: 5, maxLength: 30 })
    .map((more) => withHeader(`t=${timestamp},v1=${signature},${more.map((v) => `v1=${v}`).join(',')}`)),
  'several wrong signatures': fc
    .array(hex(64).filter(otherThan(signature)), { minLength: 1, maxLength: 5 })
    .map((all) => withHeader(`t=${timestamp},${all.map((value) => `v1=${value}`).join(',')}`)),
  'an unfit name': fc
    .constantFrom('v0', 'V1', 'v2', 'v1 ', 'sha256')
    .map((name) => withHeader(`t=${timestamp},${name}=${signature}`)),
  'unfit punctuation': fc
    .constantFrom('; ', ' ', '&', ',,', ', ', ';', '|')
    .map((mark) => withHeader(`t=${timestamp}${mark}v1=${signature}`)),
  'the header twice': fc.constant(withHeader([header, header])),
  'a huge header': fc
    .integer({ min: 5_000, max: 30_000 })
    .map((size) => withHeader(`${header},x=${'0'.repeat(size)}`)),
  'a changed byte': fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([index, mask]) => {
    const bytes = Buffer.from(original)
    bytes[index] = (bytes[index] ?? 0) ^ mask
    return withHeader(header, bytes)
  }),
  'a byte more': fc
    .tuple(at, fc.nat({ max: 255 }))
    .map(([index, byte]) =>
      withHeader(
        header,
        Buffer.concat([
          Buffer.from(original).subarray(0, index),
          Buffer.of(byte),
          Buffer.from(original).subarray(index)
        ])
      )
    ),
  'a body cut short': at.map((length) => withHeader(header, Buffer.from(original).subarray(0, length))),
  'the same JSON in other bytes': fc.constantFrom(...reserialised).map((body) => withHeader(header, body)),
  'any body': fc.uint8Array({ maxLength: 500 }).map((bytes) => withHeader(header, Buffer.from(bytes))),
  'a gzipped body': fc.constantFrom({}, { 'content-encoding': 'gzip' }).map((encoding) => ({
    ...withHeader(header, gzipSync(original)),
    headers: { ...withHeader(header).headers, ...encoding }
  })),
  'another key': fc
    .string({ maxLength: 40 })
    .filter((key) => key !== primary && key !== secondary)
    .map((key) => withHeader(signatureOf(key, original))),
  'no timestamp in what is signed': fc.constant(
    withHeader(`t=,v1=${signatureOf(primary, original).replace(/.*v1=/, '')}`)
  ),
  'a slot that does not exist': fc
    .string({ unit: fc.constantFrom(...'abcXYZ019-_.~%2fF'), minLength: 1, maxLength: 200 })
    .map((slot) => ({ ...withHeader(header), path: `${path}/${slot.replaceAll('%', '%25')}` })),
  'another content type': fc
    .constantFrom(
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'x',
      ''
    )
    .chain((type) =>
      hex(64)
        .filter(otherThan(signature))
        .map((value) => ({
          headers: { 'content-type': type, 'calendly-webhook-signature': `t=${timestamp},v1=${value}` },
          body: original
        }))
    )
}

/** Where something is refused before its signature is looked at. */
const otherRefusals: Record<string, number[]> = {
  'a huge header': [431],
  'a slot that does not exist': [400, 404],
  'another content type': [415]
}

const anyAttack: fc.Arbitrary<Attack> = fc.oneof(
  ...Object.entries(attacks).map(([kind, attack]) => attack.map((sent): Attack => ({ kind, ...sent })))
)

t.test('ten thousand forgeries are refused while genuine deliveries are accepted', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
  t.comment(`FUZZ_SEED=${seed}`)
  const forgeries = fc.sample(anyAttack, { numRuns: runs, seed })
  const wrong: unknown[] = []
  for (let from = 0; from < runs; from += atOnce) {
    await Promise.all(
      forgeries.slice(from, from + atOnce).map(async (forgery) => {
        const status = await deliver(forgery)
        const allowed = [401, ...(otherRefusals[forgery.kind] ?? [])]
        if (!allowed.includes(status)) wrong.push({ status, ...forgery, body: forgery.body.toString() })
      })
    )
    if (from % 1_000 === 0) {
      t.equal(await deliverGenuine(from % 2_000 === 0 ? primary : secondary), 204, 'a genuine one')
    }
  }
  t.same(wrong.slice(0, 3), [], 'a forgery was not refused')
  t.same(
    Object.keys(attacks).filter((kind) => !forgeries.some((forgery) => forgery.kind === kind)),
    [],
    'every kind of attack was tried'
  )
})

t.test('256 KB are accepted, a byte more is refused', async (t) => {
  const full = Buffer.alloc(256 * 1024, ' ')
  full.write(original)
  t.equal(await deliverGenuine(primary, full), 204)
  const larger = Buffer.concat([full, Buffer.from(' ')])
  t.equal(await deliver(withHeader(signatureOf(primary, larger), larger)), 413)
})

t.test('a genuine delivery is judged by its bytes alone, whatever its content type says', async (t) => {
  for (const type of ['application/json', 'text/plain', 'application/octet-stream']) {
    genuine++
    const body = webhookBody({ id: `TYPE${genuine}` })
    const headers = { 'content-type': type, 'calendly-webhook-signature': signatureOf(primary, body) }
    t.equal(await deliver({ headers, body }), 204, type)
  }
})

t.test('one good signature among five is enough', async (t) => {
  genuine++
  const body = webhookBody({ id: 'FIVE' })
  const wrong = Array.from('abcd', (digit) => `v1=${digit.repeat(64)}`).join(',')
  t.equal(await deliver(withHeader(`${signatureOf(secondary, body)},${wrong}`, body)), 204)
})

t.test('what is genuine but too old or from the future is not applied', async (t) => {
  for (const skewMs of [-182_000, 182_000, -31_536_000_000]) {
    genuine++
    const body = webhookBody({ id: `SKEWED${genuine}` })
    t.equal(await deliver(withHeader(signatureOf(primary, body, Date.now() + skewMs), body)), 401)
  }
  const { body } = await service.call('GET', '/api/v1/bookings?limit=200')
  t.notOk(JSON.stringify(body).includes('SKEWED'))
})

t.test('of all that nothing was kept but what was genuine, and the process lives', async (t) => {
  t.equal((await service.call('GET', '/api/health/ready')).status, 200)
  await service.app.close()
  const kept = await inDatabase(service.database, (db) =>
    db.selectFrom('deliveries').select(['status', 'event']).execute()
  )
  t.equal(kept.length, genuine)
})
