import { createHash } from 'node:crypto'
import type { CalendlyDelivery } from './calendly.ts'
import { AppError } from './errors.ts'
import { createId } from './ids.ts'
import type { System } from './system.ts'

export type DeliveryStatus = 'received' | 'processed' | 'dead' | 'quarantined'

/** A webhook as it is kept. `reason` says why it was set aside. */
export type Delivery = {
  id: string
  tenantId: string
  /** The subscription's path; absent for the bare one. */
  slot?: string | undefined
  body: Buffer
  /** SHA-256 of the body: Calendly sends no delivery id. */
  digest: Buffer
  event?: string | undefined
  signedAt: number
  status: DeliveryStatus
  reason?: string | undefined
  attempts: number
}

type Verdict = { kind: 'genuine' | 'stale'; timestampMs: number } | { kind: 'forged' }

type Deps = {
  system: System
  /** The tenant and live signing keys of a path; `undefined` for a slot that does not exist. */
  recipient: (slot: string | undefined) => { tenantId: string; signingKeys: readonly string[] } | undefined
  toleranceMs: number
  verify: (delivery: {
    header: unknown
    body: Uint8Array
    keys: readonly string[]
    now: number
    toleranceMs: number
  }) => Verdict
  /** `undefined` for a body that is not what Calendly sends. Never throws. */
  read: (body: Uint8Array) => CalendlyDelivery | undefined
  inbox: {
    /** Durable once resolved. False when the same bytes are there already. */
    insert: (delivery: Delivery) => Promise<boolean>
    findByDigest: (
      tenantId: string,
      digest: Buffer
    ) => Promise<Pick<Delivery, 'status' | 'reason'> | undefined>
  }
  log: { warn: (fields: object, phrase: string) => void }
}

/** The intake: verify, keep, acknowledge. Nothing is applied here. */
export function createDeliveries({ system, recipient, toleranceMs, verify, read, inbox, log }: Deps) {
  return {
    /**
     * Resolves once the delivery is durable or known to be a copy; the answer is then 204.
     * Throws `invalid_signature` for anything forged, and for what is genuine but stale and new:
     * that is kept aside, and Calendly's retry of it is accepted once its subject was read.
     */
    async accept(slot: string | undefined, header: unknown, body: Buffer): Promise<void> {
      const to = recipient(slot)
      const verdict = verify({ header, body, keys: to?.signingKeys ?? [], now: system.now(), toleranceMs })
      if (!to || verdict.kind === 'forged') throw new AppError('invalid_signature')

      const digest = createHash('sha256').update(body).digest()
      const message = read(body)
      const isStale = verdict.kind === 'stale'
      const isNew = await inbox.insert({
        id: createId('dlv', system),
        tenantId: to.tenantId,
        slot,
        body,
        digest,
        event: message?.event,
        signedAt: verdict.timestampMs,
        attempts: 0,
        ...(message === undefined
          ? { status: 'quarantined', reason: 'unreadable' }
          : isStale
            ? { status: 'quarantined', reason: 'stale' }
            : { status: 'received' })
      })
      if (message === undefined && isNew) log.warn({ slot }, 'webhook kept aside: genuine but unreadable')
      if (isStale && !(await wasApplied(to.tenantId, digest, isNew))) {
        throw new AppError('invalid_signature', 'The delivery is too old or from the future.')
      }
    }
  }

  async function wasApplied(tenantId: string, digest: Buffer, isNew: boolean): Promise<boolean> {
    const known = isNew ? undefined : await inbox.findByDigest(tenantId, digest)
    return known !== undefined && known.reason !== 'stale'
  }
}

export type Deliveries = ReturnType<typeof createDeliveries>
