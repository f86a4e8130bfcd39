import { hash } from 'node:crypto'
import { AppError } from './errors.ts'
import { createId } from './ids.ts'
import type { System } from './system.ts'
import type { Recipient } from './webhook-slots.ts'

export const deliveryStatuses = ['received', 'processed', 'dead', 'quarantined'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/** A webhook as it is kept. `reason` says why it was set aside. */
export type Delivery = {
  id: string
  tenantId: string
  /** The subscription's path; absent for the bare one. */
  slot?: string | undefined
  body: Buffer
  /** SHA-256 of the body: Calendly sends no delivery id. */
  digest: Buffer
  /** With the subject, unknown until the delivery is read: the intake has no time for that. */
  event?: string | undefined
  /** URI of the invitee, event type or submission that it speaks of. */
  subject?: string | undefined
  signedAt: number
  status: DeliveryStatus
  reason?: string | undefined
  /** To apply it, made so far. */
  attempts: number
}

/** What a delivery is about, as far as that can be kept. */
export type Outline = { event: string; subject?: string | undefined }

/** A request as it came. */
export type Incoming = {
  /** The path that it came to; absent for the bare one. */
  slot?: string | undefined
  /** Of the signature, whatever was sent. */
  header: unknown
  body: Buffer
  /** Called before a forgery is refused; what it throws is the answer. */
  onForged: () => Promise<void>
}

type Verdict = { kind: 'genuine' | 'stale'; timestampMs: number } | { kind: 'forged' }

type Deps = {
  system: System
  /** The tenant and live signing keys of a path; `undefined` for a slot that does not exist. */
  recipient: (slot: string | undefined) => Promise<Recipient | undefined>
  toleranceMs: number
  verify: (delivery: {
    header: unknown
    body: Uint8Array
    keys: readonly string[]
    now: number
    toleranceMs: number
  }) => Verdict
  /** `undefined` for a body that is not what Calendly sends. Never throws. */
  outline: (body: Uint8Array) => Outline | undefined
  inbox: {
    /** Durable once resolved. False when the same bytes are there already. */
    insert: (delivery: Delivery) => Promise<boolean>
    findByDigest: (
      tenantId: string,
      digest: Buffer
    ) => Promise<Pick<Delivery, 'status' | 'reason'> | undefined>
    /** What was set aside as stale is received after all; anything else stays as it is. */
    believe: (tenantId: string, digest: Buffer) => Promise<void>
  }
}

/** The intake: verify, keep, acknowledge. Nothing is applied here. */
export function createDeliveries({ system, recipient, toleranceMs, verify, outline, inbox }: Deps) {
  return {
    /**
     * Resolves once the delivery is durable or known to be a copy; the answer is then 204.
     * Throws `invalid_signature` for anything forged, and for what is genuine but stale and new:
     * that is kept aside, and Calendly's retry of it is accepted once its subject was read.
     */
    async accept({ slot, header, body, onForged }: Incoming): Promise<void> {
      const to = await recipient(slot)
      const verdict = verify({ header, body, keys: to?.signingKeys ?? [], now: system.now(), toleranceMs })
      if (!to || verdict.kind === 'forged') {
        await onForged()
        throw new AppError('invalid_signature')
      }

      const isStale = verdict.kind === 'stale'
      const delivery: Delivery = {
        id: createId('dlv', system),
        tenantId: to.tenantId,
        slot,
        body,
        digest: hash('sha256', body, 'buffer'),
        signedAt: verdict.timestampMs,
        attempts: 0,
        ...(isStale ? { status: 'quarantined', ...reasonOf(outline(body)) } : { status: 'received' })
      }
      const isNew = await inbox.insert(delivery)
      if (isStale && (isNew || !(await wasSeen(delivery)))) {
        throw new AppError('invalid_signature', 'The delivery is too old or from the future.')
      }
      if (!isStale && !isNew) await inbox.believe(delivery.tenantId, delivery.digest)
    }
  }

  /** Whether what a stale copy speaks of has been read, or was applied when it came in time. */
  async function wasSeen({ tenantId, digest }: Delivery): Promise<boolean> {
    const known = await inbox.findByDigest(tenantId, digest)
    return known !== undefined && known.reason !== 'stale'
  }
}

export type Deliveries = ReturnType<typeof createDeliveries>

const reasonOf = (outline: Outline | undefined) =>
  outline ? { ...outline, reason: 'stale' } : { reason: 'unreadable' }
