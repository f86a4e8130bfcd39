import { createHash } from 'node:crypto'
import t from 'tap'
import { createDeliveries, type Delivery } from '../../src/core/deliveries.ts'
import { tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const body = Buffer.from('{"event":"invitee.created"}')

/** An intake whose inbox is a list. `verdict` is what the signature is found to be. */
function intake(
  verdict: 'genuine' | 'stale' | 'forged',
  { isReadable = true, kept = [] as Delivery[] } = {}
) {
  const asked: { keys: readonly string[] }[] = []
  const deliveries = createDeliveries({
    system: fakeSystem(tuesday),
    toleranceMs: 180_000,
    recipient: (slot) =>
      slot === 'unknown' ? undefined : { tenantId: 'default', signingKeys: ['one', 'two'] },
    verify: (delivery) => {
      asked.push(delivery)
      return verdict === 'forged' ? { kind: 'forged' } : { kind: verdict, timestampMs: tuesday - 5_000 }
    },
    read: () => (isReadable ? { event: 'invitee.created' } : undefined),
    inbox: {
      insert: async (delivery) => {
        if (kept.some(({ digest }) => digest.equals(delivery.digest))) return false
        kept.push(delivery)
        return true
      },
      findByDigest: async (_tenantId, digest) => kept.find((delivery) => delivery.digest.equals(digest))
    },
    log: { warn: () => {} }
  })
  return { accept: (slot?: string) => deliveries.accept(slot, 't=1,v1=ab', body), kept, asked }
}

t.test('a genuine delivery is kept, byte for byte and by its digest', async (t) => {
  const { accept, kept, asked } = intake('genuine')
  await accept('slot-1')
  t.match(kept, [
    {
      id: /^dlv_/,
      tenantId: 'default',
      slot: 'slot-1',
      body,
      digest: createHash('sha256').update(body).digest(),
      event: 'invitee.created',
      signedAt: tuesday - 5_000,
      status: 'received',
      attempts: 0
    }
  ])
  t.match(asked, [{ keys: ['one', 'two'], now: tuesday, toleranceMs: 180_000 }])
})

t.test('a copy is acknowledged and not kept again', async (t) => {
  const { accept, kept } = intake('genuine')
  await accept()
  await accept()
  t.equal(kept.length, 1)
})

t.test('a forged delivery is refused and leaves nothing', async (t) => {
  const { accept, kept } = intake('forged')
  await t.rejects(accept(), { code: 'invalid_signature' })
  t.same(kept, [])
})

t.test('an unknown path is refused like a forgery, with no key to try', async (t) => {
  const { accept, kept, asked } = intake('genuine')
  await t.rejects(accept('unknown'), { code: 'invalid_signature' })
  t.same(kept, [])
  t.match(asked, [{ keys: [] }])
})

t.test('a genuine delivery that is new but stale is kept aside and refused', async (t) => {
  const { accept, kept } = intake('stale')
  await t.rejects(accept(), { code: 'invalid_signature' })
  t.match(kept, [{ status: 'quarantined', reason: 'stale' }])
  await t.rejects(accept(), { code: 'invalid_signature' }, 'until what it speaks of was read')
  t.equal(kept.length, 1)
})

t.test('a stale copy of what was seen before is acknowledged, whatever its age', async (t) => {
  const { kept, accept } = intake('genuine')
  await accept()
  for (const status of ['received', 'processed', 'dead'] as const) {
    const known = kept.map((delivery) => ({ ...delivery, status }))
    await t.resolves(intake('stale', { kept: known }).accept(), status)
  }
  const pulled = kept.map((delivery) => ({ ...delivery, status: 'processed' as const, reason: undefined }))
  await t.resolves(intake('stale', { kept: pulled }).accept())
})

t.test('a genuine delivery that cannot be read is kept aside and acknowledged', async (t) => {
  const { accept, kept } = intake('genuine', { isReadable: false })
  await accept()
  t.match(kept, [{ status: 'quarantined', reason: 'unreadable', event: undefined }])
})
