import { AppError } from './errors.ts'
import type { System } from './system.ts'

/** What Stripe is asked for while a caller waits; throws `stripe_unavailable` after `ms`. */
export async function inTime<T>(system: Pick<System, 'sleep'>, work: Promise<T>, ms: number): Promise<T> {
  const settled = new AbortController()
  const overdue = system.sleep(ms, settled.signal).then(() => {
    throw new AppError('stripe_unavailable', 'Stripe did not answer in time.')
  })
  try {
    return await Promise.race([work, overdue])
  } finally {
    overdue.catch(() => {})
    work.catch(() => {})
    settled.abort()
  }
}
