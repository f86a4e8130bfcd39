import { randomBytes } from 'node:crypto'
import { connectedTenant } from './connection.ts'
import { AppError } from './errors.ts'
import { createRecent } from './recent.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

/** A path of the webhook intake, with the key that signs there. */
export type WebhookSlot = { slot: string; tenantId: string; sealedKey: Buffer; createdAt: number }

export type LiveSlot = Pick<WebhookSlot, 'slot' | 'createdAt'>

/** How long a slot that was replaced still verifies: Calendly repeats a delivery for 24 hours. */
export const slotOverlapMs = 25 * 3_600_000

/** Slots inside one transaction. */
export type SlotRows = {
  insert: (slot: WebhookSlot) => Promise<void>
  /** Lets all that are live but `except` verify for `overlapMs` more; answers with their names. */
  retireOthers: (tenantId: string, except: string | undefined, overlapMs: number) => Promise<string[]>
}

/** The same outside a transaction. */
export type SlotReads = {
  /** One that verifies now. */
  find: (slot: string) => Promise<WebhookSlot | undefined>
  /** Those that nothing has replaced, oldest first. */
  listLive: (tenantId: string) => Promise<LiveSlot[]>
  /** Every slot of every tenant. */
  listAll: () => Promise<WebhookSlot[]>
  /** Puts another seal on the key, unless it has changed meanwhile. */
  reseal: (slot: string, from: Buffer, to: Buffer) => Promise<void>
  removeRetired: () => Promise<void>
}

export type Recipient = { tenantId: string; signingKeys: readonly string[] }

/** For how long a replica may go on verifying with a slot that has retired. */
const lastsMs = 2_000
const slotPattern = /^[0-9a-f]{32}$/

// Sealed for its slot alone.
const purposeOf = ({ tenantId, slot }: Pick<WebhookSlot, 'tenantId' | 'slot'>) =>
  `webhook slot\n${tenantId}\n${slot}`

type Deps = {
  system: Pick<System, 'now' | 'id'>
  slots: SlotReads
  vault: Vault
  /** Of the bare path. */
  environmentKeys: readonly string[]
  log: Record<'info', (fields: object, phrase: string) => void>
}

export function createWebhookSlots({ system, slots, vault, environmentKeys, log }: Deps) {
  const recall = createRecent<WebhookSlot>({ system, changes: () => 0, lastsMs })

  // A slot that is not there rejects, since only what succeeds is remembered.
  const find = (slot: string): Promise<WebhookSlot | undefined> =>
    recall(slot, async () => {
      const found = await slots.find(slot)
      if (!found) throw new AppError('not_found')
      return found
    }).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'not_found') return undefined
      throw error
    })

  function open(slot: WebhookSlot): string {
    try {
      return vault.open(slot.sealedKey, purposeOf(slot))
    } catch (cause) {
      // Not a 401: Calendly comes again, and the encryption key may be back by then.
      throw new AppError('database_unavailable', 'The signing key of a slot cannot be decrypted', { cause })
    }
  }

  return {
    /** Whose path it is and the keys that verify there; `undefined` for a slot that is not or no longer there. */
    async recipient(slot: string | undefined): Promise<Recipient | undefined> {
      if (slot === undefined) return { tenantId: connectedTenant, signingKeys: environmentKeys }
      if (!slotPattern.test(slot)) return undefined
      const found = await find(slot)
      return found && { tenantId: found.tenantId, signingKeys: [open(found)] }
    },

    /** A new slot with a key of its own, not kept yet. */
    make(tenantId: string): WebhookSlot {
      const slot = system.id().replaceAll('-', '')
      const key = randomBytes(32).toString('base64url')
      const sealedKey = vault.seal(key, purposeOf({ tenantId, slot }))
      return { slot, tenantId, sealedKey, createdAt: system.now() }
    },

    /** The key that a kept slot signs with. */
    async keyOf(slot: string): Promise<string> {
      const found = await slots.find(slot)
      if (!found) throw new AppError('not_found')
      return open(found)
    },

    /** Forgets slots that verify no more and encrypts keys anew. Any replica, at any time. */
    async maintain(): Promise<void> {
      await slots.removeRetired()
      for (const kept of await slots.listAll()) {
        const fresh = resealed(kept)
        if (!fresh) continue
        await slots.reseal(kept.slot, kept.sealedKey, fresh)
        log.info({ slot: kept.slot }, 'the signing key of a webhook slot is encrypted anew')
      }
    }
  }

  /** Nothing for what does not open: whoever needs the key says so. */
  function resealed(slot: WebhookSlot): Buffer | undefined {
    try {
      return vault.reseal(slot.sealedKey, purposeOf(slot))
    } catch {
      return undefined
    }
  }
}

export type WebhookSlots = ReturnType<typeof createWebhookSlots>

export const isSlot = (text: string): boolean => slotPattern.test(text)
