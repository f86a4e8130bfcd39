import { type Attempt, type CallbackTimeouts, openCallbacks, type Recipient } from './callbacks.ts'
import type { Current } from './current.ts'
import { envelope, type Notice, wants } from './notices.ts'
import { createQueue, type Message } from './queue.ts'
import type { Subscription } from './records.ts'
import { inviteePayload } from './render-bookings.ts'

const dayMs = 86_400_000

export type DeliveryOptions = CallbackTimeouts & {
  /** How long to wait after the nth failed attempt; Calendly's own schedule is not published. */
  retryDelayMs: (failures: number) => number
}

export const calendlyPace: DeliveryOptions = {
  retryDelayMs: (failures) => Math.min(1000 * 2 ** (failures - 1), 3_600_000),
  connectTimeoutMs: 10_000,
  readTimeoutMs: 15_000
}

/** `lost`: given up after 24 hours, or its subscription is gone or disabled. */
export type Delivery = Message & {
  id: number
  event: string
  subscription: Subscription
  body: string
  /** When it was first sent; its 24 hours count from here. */
  sentAt?: number
  attempts: Attempt[]
}

export type Deliveries = ReturnType<typeof openDeliveries>

/** Sends notices to their subscriptions as Calendly does, and tries again by the sandbox's clock. */
export function openDeliveries(current: Current, options: DeliveryOptions) {
  const { clock } = current
  const callbacks = openCallbacks(options)
  const queue = createQueue<Delivery>(clock, send)
  const failing = new Set<Delivery>()
  let ids = 0

  async function send(delivery: Delivery) {
    const { subscription, attempts, body } = delivery
    if (!isLive(subscription)) return lose(delivery)
    delivery.state = 'sending'
    delivery.sentAt ??= clock.now()
    const attempt = await callbacks.post(recipientOf(subscription), body, clock.now())
    attempts.push(attempt)
    if (!isLive(subscription)) return lose(delivery)
    if (attempt.isAccepted) return settle(delivery)
    fail(delivery)
  }

  const isLive = (subscription: Subscription) =>
    subscription.state === 'active' && current.world.subscriptions.get(subscription.uri) === subscription

  function settle(delivery: Delivery) {
    delivery.state = 'delivered'
    failing.delete(delivery)
    const { subscription } = delivery
    if (![...failing].some((other) => other.subscription === subscription)) delete subscription.retryStartedAt
  }

  function fail(delivery: Delivery) {
    const now = clock.now()
    const { subscription, attempts, sentAt = now } = delivery
    const failingSince = subscription.retryStartedAt ?? now
    subscription.retryStartedAt = failingSince
    if (now >= failingSince + dayMs && sentAt > failingSince) {
      subscription.state = 'disabled'
      subscription.updatedAt = clock.stamp()
      return lose(delivery)
    }
    if (now >= sentAt + dayMs) return lose(delivery)
    failing.add(delivery)
    queue.again(delivery, now + options.retryDelayMs(attempts.length))
  }

  function lose(delivery: Delivery) {
    delivery.state = 'lost'
    failing.delete(delivery)
  }

  return {
    /** The notices of one act, in the order it made them. */
    publish(notices: readonly Notice[]) {
      const now = clock.now()
      const batch = notices.flatMap((notice) => {
        const payload = inviteePayload(notice.invitee)
        const interested = [...current.world.subscriptions.values()].filter(
          (subscription) => isLive(subscription) && wants(subscription, notice)
        )
        return queue.copies(interested).map(
          (subscription): Delivery => ({
            id: ++ids,
            event: notice.event,
            subscription,
            body: envelope(notice.event, subscription, now, payload),
            state: 'withheld',
            dueAt: queue.dueAt(),
            attempts: []
          })
        )
      })
      queue.post(batch)
    },

    setMode: queue.setMode,
    release: queue.release,
    list: queue.list,

    /** As after 24 hours in which nothing was accepted. Says how many subscriptions that were. */
    disable() {
      const live = [...current.world.subscriptions.values()].filter(isLive)
      for (const subscription of live) {
        subscription.state = 'disabled'
        subscription.retryStartedAt ??= clock.now() - dayMs
        subscription.updatedAt = clock.stamp()
      }
      return live.length
    },

    reset() {
      failing.clear()
      queue.clear()
    },

    async close() {
      queue.close()
      await callbacks.close()
    }
  }
}

const recipientOf = ({ callbackUrl, signingKey }: Subscription): Recipient => ({
  url: callbackUrl,
  key: signingKey,
  signatureHeader: 'calendly-webhook-signature',
  headers: { 'content-type': 'application/json' }
})
