import { type AuditTables, actorOf } from './audit.ts'
import type { Booking } from './booking.ts'
import type { BookingTables } from './booking-tables.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import {
  defaultPolicy,
  faultsOfTiers,
  isSamePolicy,
  type PolicyTables,
  type RefundPolicy
} from './refund-policy.ts'
import type { System } from './system.ts'

type Tables = PolicyTables & AuditTables
type Choosing = PolicyTables & Pick<BookingTables, 'settings'>

type Deps = {
  system: Pick<System, 'now'>
  transact: <T>(work: (tables: Tables) => Promise<T>) => Promise<T>
  reads: {
    /** The newest version of each, by name. */
    list: (tenantId: string) => Promise<RefundPolicy[]>
    find: (tenantId: string, name: string, version?: number) => Promise<RefundPolicy | undefined>
  }
}

/** How much is given back when. Every change is a new version, and a booking keeps the one it was made under. */
export function createRefundPolicies({ system, transact, reads }: Deps) {
  return {
    /** The newest version of each, by name; the built-in `default` among them. */
    async list({ tenantId }: Caller): Promise<RefundPolicy[]> {
      const put = await reads.list(tenantId)
      const isReplaced = put.some(({ name }) => name === defaultPolicy.name)
      return [...(isReplaced ? [] : [defaultPolicy]), ...put].toSorted((one, other) =>
        one.name < other.name ? -1 : 1
      )
    },

    /** The newest version, or that one. Throws `not_found`. */
    async get({ tenantId }: Caller, name: string, version?: number): Promise<RefundPolicy> {
      const policy = (await reads.find(tenantId, name, version)) ?? builtIn(name, version)
      if (!policy) throw new AppError('not_found')
      return policy
    },

    /** As it is afterwards: a new version, or the newest where nothing is new. Throws `validation_failed`. */
    async put(caller: Caller, wanted: Omit<RefundPolicy, 'version'>): Promise<RefundPolicy> {
      const faults = faultsOfTiers(wanted.tiers)
      if (faults.length > 0) throw new AppError('validation_failed', undefined, { faults })
      const { tenantId } = caller
      return transact(async (tables) => {
        await tables.policies.lock(tenantId)
        const before = await latestPolicy(tables, tenantId, wanted.name)
        const policy = { ...wanted, version: (before?.version ?? 0) + 1 }
        if (before && isSamePolicy(before, policy)) return before
        const at = system.now()
        await tables.policies.insert(tenantId, policy, at)
        await tables.audit.add({
          ...{ tenantId, at, actor: actorOf(caller), action: 'refund_policy.changed', subject: policy.name },
          detail: { version: policy.version }
        })
        return policy
      })
    }
  }
}

export type RefundPolicies = ReturnType<typeof createRefundPolicies>

/** Whether event types may name it. */
export async function isPolicy(tables: PolicyTables, tenantId: string, name: string): Promise<boolean> {
  return (await latestPolicy(tables, tenantId, name)) !== undefined
}

/** What a booking that is made now of an event type keeps. */
export async function presentPolicy(
  tables: Choosing,
  tenantId: string,
  eventType: string
): Promise<{ name: string; version: number }> {
  const { name, version } = await policyNow(tables, tenantId, eventType)
  return { name, version }
}

/** The policy that a booking was made under; one that is older than policies has its event type's present one. */
export async function policyOf(
  tables: Choosing,
  { tenantId, eventType, refundPolicy }: Pick<Booking, 'tenantId' | 'eventType' | 'refundPolicy'>
): Promise<RefundPolicy> {
  if (!refundPolicy) return policyNow(tables, tenantId, eventType)
  const { name, version } = refundPolicy
  const kept = (await tables.policies.find(tenantId, name, version)) ?? builtIn(name, version)
  if (!kept) throw new Error(`version ${version} of the refund policy ${name} has vanished`)
  return kept
}

async function policyNow(tables: Choosing, tenantId: string, eventType: string): Promise<RefundPolicy> {
  const settings = await tables.settings.get(tenantId, eventType)
  return (await latestPolicy(tables, tenantId, settings.refundPolicy)) ?? defaultPolicy
}

async function latestPolicy({ policies }: PolicyTables, tenantId: string, name: string) {
  return (await policies.latest(tenantId, name)) ?? builtIn(name)
}

function builtIn(name: string, version?: number): RefundPolicy | undefined {
  const isMeant = name === defaultPolicy.name && (version === undefined || version === defaultPolicy.version)
  return isMeant ? defaultPolicy : undefined
}
