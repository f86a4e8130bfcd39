import { ageDaysOf, type CalendlyKey, healthOf, type KeyPolicy, shownState } from './calendly-key.ts'

/** What is left of the minute of a Calendly user. */
export type UserQuota = {
  user: string
  limit?: number | undefined
  remaining?: number | undefined
  resetAt?: number | undefined
  restsUntil?: number | undefined
}

/** A key as it may be shown: never the token. */
export type ShownKey = ReturnType<typeof show>

type Seen = {
  key: CalendlyKey
  /** Whether its token can be read here. */
  isReadable: boolean
  quota: UserQuota | undefined
  policy: KeyPolicy
  now: number
}

export function show({ key, isReadable, quota, policy, now }: Seen) {
  const { name, priority, lastFour, createdAt, retireAt, usageCount, lastUsedAt } = key
  return {
    name,
    state: shownState(key, policy, now),
    health: isReadable ? healthOf(key, quota?.restsUntil, now) : ('invalid' as const),
    priority,
    lastFour,
    createdAt,
    /** When a retiring one is revoked. */
    retireAt,
    ageDays: ageDaysOf(key, now),
    usageCount,
    usageLimit: policy.maxUsage,
    lastUsedAt,
    /** Of its owner; absent until Calendly has said. */
    quota:
      quota?.limit === undefined
        ? undefined
        : { limit: quota.limit, remaining: quota.remaining, resetAt: quota.resetAt }
  } as const
}
