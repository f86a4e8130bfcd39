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
  const believed: Buffer[] = []
  let forgeries = 0
  const deliveries = createDeliveries({
    system: fakeSystem(tuesday),
    toleranceMs: 180_000,
    recipient: async (slot) =>
      slot === 'unknown' ? undefined : { tenantId: 'default', signingKeys: ['one', 'two'] },
    verify: (delivery) => {
      asked.push(delivery)
      return verdict === 'forged' ? { kind: 'forged' } : { kind: verdict, timestampMs: tuesday - 5_000 }
    },
    outline: () => (isReadable ? { event: 'invitee.created', subject: 'an invitee' } : undefined),
    inbox: {
      insert: async (delivery) => {
        if (kept.some(({ digest }) => digest.equals(delivery.digest))) return false
        kept.push(delivery)
        return true
      },
      findByDigest: async (_tenantId, digest) => kept.find((delivery) => delivery.digest.equals(digest)),
      believe: async (_tenantId, digest) => void believed.push(digest)
    }
  })
  const onForged = async () => {
    forgeries++
  }
  return {
    accept: (slot?: string) => deliveries.accept({ slot, header: 't=1,v1=ab', body, onForged }),
    kept,
    asked,
    believed,
    forgeries: () => forgeries
  }
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

t.test('a forged delivery is refused and counted, and leaves nothing', async (t) => {
  const { accept, kept, forgeries } = intake('forged')
  await t.rejects(accept(), { code: 'invalid_signature' })
  t.same(kept, [])
  t.equal(forgeries(), 1)
})

t.test('an unknown path is refused like a forgery, with no key to try', async (t) => {
  const { accept, kept, asked, forgeries } = intake('genuine')
  await t.rejects(accept('unknown'), { code: 'invalid_signature' })
  t.same(kept, [])
  t.match(asked, [{ keys: [] }])
  t.equal(forgeries(), 1)
})

t.test(
  'a genuine delivery that is new but stale is kept aside and refused, which is no forgery',
  async (t) => {
    const { accept, kept, forgeries } = intake('stale')
    await t.rejects(accept(), { code: 'invalid_signature' })
    t.match(kept, [
      { status: 'quarantined', reason: 'stale', event: 'invitee.created', subject: 'an invitee' }
    ])
    await t.rejects(accept(), { code: 'invalid_signature' }, 'until what it speaks of was read')
    t.equal(kept.length, 1)
    t.equal(forgeries(), 0)
  }
)

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

t.test('a genuine delivery is not read before it is kept, unless it is stale', async (t) => {
  const { accept, kept } = intake('genuine', { isReadable: false })
  await accept()
  t.match(kept, [{ status: 'received', reason: undefined }])
  const stale = intake('stale', { isReadable: false })
  await t.rejects(stale.accept(), { code: 'invalid_signature' })
  t.match(stale.kept, [{ status: 'quarantined', reason: 'unreadable' }])
  await t.resolves(stale.accept(), 'there is nothing to wait for')
})

t.test('what was stale and comes again freshly signed is believed', async (t) => {
  const { accept, kept, believed } = intake('genuine')
  await accept()
  t.same(believed, [], 'not what is new')
  await accept()
  t.same(
    believed,
    kept.map(({ digest }) => digest)
  )
  const stale = intake('stale', { kept })
  await stale.accept()
  t.same(stale.believed, [], 'and not by another stale one')
})
