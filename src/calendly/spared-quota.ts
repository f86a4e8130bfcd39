import { createLocalQuota } from './local-quota.ts'
import type { MinuteQuota } from './quota.ts'

const denialMs = 500

type Deps = {
  now: () => number
  /** Undefined for what fails. */
  attempt: <T>(work: Promise<T>) => Promise<T | undefined>
}

/**
 * The quota all replicas share, spared a flood: who was denied is denied again without a look for half a second.
 * While it cannot be asked this process counts for itself, by what Calendly says.
 */
export function createSparedQuota(
  shared: MinuteQuota,
  { now, attempt }: Deps
): Pick<MinuteQuota, 'take' | 'settle' | 'giveBack' | 'rest'> {
  const local = createLocalQuota({ now })
  const denials = new Map<string, { until: number; freeAt: number }>()

  return {
    async take(user, keep) {
      const key = `${keep} ${user}`
      const denial = denials.get(key)
      if (denial && now() < denial.until) return { isGranted: false, waitMs: denial.freeAt - now() }
      const taken = (await attempt(shared.take(user, keep))) ?? (await local.take(user, keep))
      if (taken.isGranted) denials.delete(key)
      else {
        const { waitMs } = taken
        denials.set(key, { until: now() + Math.min(denialMs, waitMs), freeAt: now() + waitMs })
      }
      return taken
    },
    async settle(user, seen) {
      await local.settle(user, seen)
      await attempt(shared.settle(user, seen))
    },
    async giveBack(user) {
      await attempt(shared.giveBack(user))
    },
    async rest(user, ms) {
      await attempt(shared.rest(user, ms))
    }
  }
}
