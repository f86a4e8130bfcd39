import type { Clock } from '../clock.ts'
import { createAccount } from './account.ts'
import { createIdempotency } from './idempotency.ts'
import { type Key, standardKeys } from './keys.ts'
import { createMishaps } from './mishaps.ts'
import { openWebhooks, type WebhookOptions } from './webhooks.ts'

const longestTimerMs = 2 ** 31 - 1

type Options = WebhookOptions & { clock: Clock; random: () => number }

/** Stripe on the sandbox's clock, with everything that its routes and its control need. */
export function openStripe({ clock, random, ...options }: Options) {
  const webhooks = openWebhooks(clock, options)
  const account = createAccount(clock.now, (event) => {
    webhooks.publish(event)
    // A refund that was made has a next change to wait for, perhaps.
    setImmediate(settle)
  })
  const idempotency = createIdempotency(clock.now)
  const mishaps = createMishaps(random)
  let keys = standardKeys
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  /** Refunds change when their time has come, asked or not. */
  function settle() {
    clearTimeout(timer)
    const next = account.settle()
    if (next === undefined || isClosed) return
    timer = setTimeout(settle, Math.min(next - clock.now(), longestTimerMs))
  }

  clock.onMove(settle)

  return {
    ...{ account, webhooks, idempotency, mishaps, settle },
    keys: () => keys,
    setKeys(next: readonly Key[]) {
      keys = next
    },
    reset() {
      clearTimeout(timer)
      account.clear()
      webhooks.clear()
      idempotency.clear()
      mishaps.clear()
      keys = standardKeys
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await webhooks.close()
    }
  }
}

export type Stripe = ReturnType<typeof openStripe>
