import type { Fault } from './errors.ts'

/** Percentages are integers in hundredths: 10000 is everything. */
export type PolicyTier = { noticeHours: number; percentHundredths: number }

export type RefundPolicy = {
  name: string
  version: number
  /** By falling notice, each valid from exactly that notice on. */
  tiers: readonly PolicyTier[]
  hostCancelPercentHundredths: number
  noShowPercentHundredths: number
  /** Which start the notice is counted to: the booking's, or the one it was first booked for. */
  clock: 'start' | 'first_start'
}

/** Every policy a tenant has put, by name and version. */
export type PolicyTables = {
  policies: {
    /** One at a time changes what a tenant has. */
    lock: (tenantId: string) => Promise<void>
    /** The newest version; undefined where none was put. */
    latest: (tenantId: string, name: string) => Promise<RefundPolicy | undefined>
    find: (tenantId: string, name: string, version: number) => Promise<RefundPolicy | undefined>
    insert: (tenantId: string, policy: RefundPolicy, at: number) => Promise<void>
  }
}

/** Why that much: what a caller and a customer are told. */
export type PolicyRule =
  | `notice_${number}h`
  | 'notice_too_short'
  | 'after_start'
  | 'host_cancel'
  | 'system_cancel'
  | 'no_show'
  | 'full'
  | 'none'
  | 'amount'

export const defaultPolicy: RefundPolicy = {
  name: 'default',
  version: 1,
  tiers: [
    { noticeHours: 24, percentHundredths: 10_000 },
    { noticeHours: 12, percentHundredths: 5_000 },
    { noticeHours: 0, percentHundredths: 0 }
  ],
  hostCancelPercentHundredths: 10_000,
  noShowPercentHundredths: 0,
  clock: 'start'
}

export type Occasion = {
  trigger: 'cancellation' | 'no_show'
  cancelerType: 'invitee' | 'host' | 'system'
  at: number
  startTime: number
  firstStartTime: number
}

/** `noticeMs`: elapsed time from `at` to the start that counts; below zero after it. */
export type PolicyDecision = { percentHundredths: number; rule: PolicyRule; noticeMs: number }

const hourMs = 3_600_000
export const mostTiers = 20

/** What a policy gives on an occasion. Hours are elapsed ones, whatever clocks are changed meanwhile. */
export function decide(policy: RefundPolicy, occasion: Occasion): PolicyDecision {
  const { trigger, cancelerType, at, startTime, firstStartTime } = occasion
  const noticeMs = (policy.clock === 'first_start' ? firstStartTime : startTime) - at
  const give = (percentHundredths: number, rule: PolicyRule) => ({ percentHundredths, rule, noticeMs })
  if (trigger === 'no_show') return give(policy.noShowPercentHundredths, 'no_show')
  if (cancelerType === 'host') return give(policy.hostCancelPercentHundredths, 'host_cancel')
  if (cancelerType === 'system') return give(policy.hostCancelPercentHundredths, 'system_cancel')
  // Also after a start that was brought forward, whatever the first one was.
  if (noticeMs < 0 || at > startTime) return give(0, 'after_start')
  const tier = policy.tiers.find(({ noticeHours }) => noticeMs >= Math.round(noticeHours * hourMs))
  return tier ? give(tier.percentHundredths, `notice_${tier.noticeHours}h`) : give(0, 'notice_too_short')
}

/** Why tiers make no policy: each must ask for less notice than the one before, and give no more. */
export function faultsOfTiers(tiers: readonly PolicyTier[]): Fault[] {
  const faults = tiers.flatMap((tier, index) => {
    const before = tiers[index - 1]
    const at = (field: string, detail: string) => ({ pointer: `#/tiers/${index}/${field}`, detail })
    if (!before) return []
    return [
      ...(tier.noticeHours >= before.noticeHours
        ? [at('notice_hours', 'must be less than in the tier before')]
        : []),
      ...(tier.percentHundredths > before.percentHundredths
        ? [at('percent', 'must not be more than in the tier before, which asks for more notice')]
        : [])
    ]
  })
  const isTooMany = tiers.length === 0 || tiers.length > mostTiers
  return isTooMany ? [{ pointer: '#/tiers', detail: `must be 1 to ${mostTiers}` }] : faults
}

export const isSamePolicy = (one: RefundPolicy, other: RefundPolicy): boolean =>
  one.clock === other.clock &&
  one.hostCancelPercentHundredths === other.hostCancelPercentHundredths &&
  one.noShowPercentHundredths === other.noShowPercentHundredths &&
  JSON.stringify(tiersOf(one)) === JSON.stringify(tiersOf(other))

const tiersOf = ({ tiers }: RefundPolicy) =>
  tiers.map(({ noticeHours, percentHundredths }) => [noticeHours, percentHundredths])
