import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { verifySignature } from '../../src/calendly/signature.ts'

const seconds = 1_790_000_000
const now = seconds * 1000
const toleranceMs = 180_000
const key = 'a-signing-key'
const body = Buffer.from('{"event":"invitee.created","payload":{"name":"Zoë"}}')

const sign = (signedBody: Uint8Array = body, { by = key, at = String(seconds) } = {}) =>
  createHmac('sha256', by).update(`${at}.`).update(signedBody).digest('hex')
const verify = (header: unknown, changes: { body?: Uint8Array; keys?: string[]; now?: number } = {}) =>
  verifySignature({ header, body, keys: [key], now, toleranceMs, ...changes })
const kindOf = (...given: Parameters<typeof verify>) => verify(...given).kind

t.test('a delivery signed by Calendly is genuine', async (t) => {
  t.same(verify(`t=${seconds},v1=${sign()}`), { kind: 'genuine', timestampMs: now })
})

t.test('either of two keys, any of five signatures and unknown parts will do', async (t) => {
  const noise = 'ab'.repeat(32)
  t.equal(
    kindOf(`t=${seconds},v1=${sign(body, { by: 'the-new-key' })}`, { keys: [key, 'the-new-key'] }),
    'genuine'
  )
  t.match(verify(`v1=${noise},v1=${sign()},v1=${noise},v1=${noise},v1=${noise},t=${seconds}`), {
    kind: 'genuine'
  })
  t.equal(kindOf(`t=${seconds},v1=${sign().toUpperCase()},v2=whatever,alg=x`), 'genuine')
})

t.test('outside the tolerance, on either side, a genuine delivery is stale', async (t) => {
  const header = `t=${seconds},v1=${sign()}`
  t.equal(kindOf(header, { now: now + toleranceMs }), 'genuine')
  t.equal(kindOf(header, { now: now - toleranceMs }), 'genuine')
  t.match(verify(header, { now: now + toleranceMs + 1 }), {
    kind: 'stale',
    timestampMs: now
  })
  t.match(verify(header, { now: now - toleranceMs - 1 }), { kind: 'stale' })
})

t.test('a header of any other form is forged, even with the right signature in it', async (t) => {
  const v1 = `v1=${sign()}`
  const headers = [
    undefined,
    null,
    42,
    [`t=${seconds},${v1}`],
    '',
    v1,
    `t=${seconds}`,
    `t=${seconds},t=${seconds},${v1}`,
    `t=${seconds},${Array(6).fill(v1).join(',')}`,
    `t=${seconds},${v1},v1=abcd`,
    `t=${seconds},${v1}00`,
    `t=-${seconds},${v1}`,
    `t=${seconds}.0,${v1}`,
    `t= ${seconds},${v1}`,
    `t=,${v1}`,
    `t=${seconds}, ${v1}`,
    `t=${seconds};${v1}`,
    `t=${seconds},${v1},`,
    `t=${seconds},${v1},x=${'y'.repeat(10_000)}`
  ]
  for (const header of headers) t.same(verify(header), { kind: 'forged' }, String(header).slice(0, 60))
})

t.test('a moment written in other digits is another moment', async (t) => {
  t.equal(kindOf(`t=0${seconds},v1=${sign()}`), 'forged')
  t.equal(kindOf(`t=${'9'.repeat(13)},v1=${sign(body, { at: '9'.repeat(13) })}`), 'forged')
})

t.test('without a key nothing is genuine', async (t) => {
  t.equal(kindOf(`t=${seconds},v1=${sign()}`, { keys: [] }), 'forged')
})

t.test('the same content in other bytes is forged', async (t) => {
  const reserialized = Buffer.from(JSON.stringify(JSON.parse(body.toString()), undefined, 1))
  t.equal(kindOf(`t=${seconds},v1=${sign()}`, { body: reserialized }), 'forged')
})

t.test('nobody without the key makes a genuine delivery, whatever they send', async () => {
  const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: 60, maxLength: 68 })
  const part = fc.oneof(
    hex.map((digits) => `v1=${digits}`),
    fc.integer().map((at) => `t=${at}`),
    fc.constant(`t=${seconds}`),
    fc.string()
  )
  const header = fc.oneof(
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join(',')),
    fc.anything()
  )
  fc.assert(
    fc.property(header, fc.uint8Array(), (forged, bytes) => kindOf(forged, { body: bytes }) === 'forged'),
    { numRuns: 2_000 }
  )
})

t.test('a delivery changed in one bit of its body, time or signature is forged', async () => {
  const bits = fc.nat({ max: body.length * 8 - 1 })
  fc.assert(
    fc.property(bits, fc.nat({ max: 63 }), fc.integer({ min: 1, max: 1_000_000 }), (bit, digit, later) => {
      const changed = Buffer.from(body)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const v1 = sign()
      const other = v1[digit] === '0' ? '1' : '0'
      return (
        kindOf(`t=${seconds},v1=${v1}`, { body: changed }) === 'forged' &&
        kindOf(`t=${seconds},v1=${v1.slice(0, digit)}${other}${v1.slice(digit + 1)}`) === 'forged' &&
        kindOf(`t=${seconds + later},v1=${v1}`) === 'forged'
      )
    }),
    { numRuns: 500 }
  )
})

t.test('whatever the bytes, the key signs them', async () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      (bytes) => kindOf(`t=${seconds},v1=${sign(bytes)}`, { body: bytes }) === 'genuine'
    )
  )
})
