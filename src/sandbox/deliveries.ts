import { type Attempt, type CallbackTimeouts, openCallbacks } from './callbacks.ts'
import type { Current } from './current.ts'
import { envelope, type Notice, wants } from './notices.ts'
import type { Subscription } from './records.ts'
import { inviteePayload } from './render-bookings.ts'

const dayMs = 86_400_000
const longestTimerMs = 2 ** 31 - 1

export type DeliveryOptions = CallbackTimeouts & {
  /** How long to wait after the nth failed attempt; Calendly's own schedule is not published. */
  retryDelayMs: (failures: number) => number
}

export const calendlyPace: DeliveryOptions = {
  retryDelayMs: (failures) => Math.min(1000 * 2 ** (failures - 1), 3_600_000),
  connectTimeoutMs: 10_000,
  readTimeoutMs: 15_000
}

/** How deliveries misbehave until told otherwise. */
export type Mode = { duplicate: boolean; delay_ms: number; reorder: boolean; withhold: boolean }

const orderly: Mode = { duplicate: false, delay_ms: 0, reorder: false, withhold: false }

export type Delivery = {
  id: number
  event: string
  subscription: Subscription
  body: string
  /** `lost`: given up after 24 hours, or its subscription is gone or disabled. */
  state: 'withheld' | 'waiting' | 'sending' | 'delivered' | 'lost'
  /** When it was first sent; its 24 hours count from here. */
  sentAt?: number
  dueAt: number
  attempts: Attempt[]
}

export type Deliveries = ReturnType<typeof openDeliveries>

/** Sends notices to their subscriptions as Calendly does, and tries again by the sandbox's clock. */
export function openDeliveries(current: Current, options: DeliveryOptions) {
  const { clock } = current
  const callbacks = openCallbacks(options)
  const deliveries: Delivery[] = []
  const waiting = new Set<Delivery>()
  const failing = new Set<Delivery>()
  let mode = orderly
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  let ids = 0

  function arm() {
    clearTimeout(timer)
    if (waiting.size === 0 || isClosed) return
    const dueAt = Math.min(...Array.from(waiting, (delivery) => delivery.dueAt))
    timer = setTimeout(sendDue, Math.min(Math.max(0, dueAt - clock.now()), longestTimerMs))
  }

  function sendDue() {
    const due = [...waiting].filter(({ dueAt }) => dueAt <= clock.now())
    void sendAll(due)
    arm()
  }

  async function sendAll(batch: readonly Delivery[]) {
    for (const delivery of batch) waiting.delete(delivery)
    if (!mode.reorder) return void (await Promise.all(batch.map(send)))
    for (const delivery of batch.toReversed()) await send(delivery)
  }

  function wait(batch: readonly Delivery[]) {
    for (const delivery of batch) {
      delivery.state = 'waiting'
      waiting.add(delivery)
    }
    sendDue()
  }

  async function send(delivery: Delivery) {
    const { subscription, attempts, body } = delivery
    if (!isLive(subscription)) return lose(delivery)
    delivery.state = 'sending'
    delivery.sentAt ??= clock.now()
    const attempt = await callbacks.post(subscription, body, clock.now())
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
    delivery.state = 'waiting'
    delivery.dueAt = now + options.retryDelayMs(attempts.length)
    waiting.add(delivery)
    arm()
  }

  function lose(delivery: Delivery) {
    delivery.state = 'lost'
    failing.delete(delivery)
  }

  clock.onMove(sendDue)

  return {
    /** The notices of one act, in the order it made them. */
    publish(notices: readonly Notice[]) {
      const now = clock.now()
      const batch = notices.flatMap((notice) => {
        const payload = inviteePayload(notice.invitee)
        const interested = [...current.world.subscriptions.values()].filter(
          (subscription) => isLive(subscription) && wants(subscription, notice)
        )
        const recipients = mode.duplicate ? interested.flatMap((one) => [one, one]) : interested
        return recipients.map(
          (subscription): Delivery => ({
            id: ++ids,
            event: notice.event,
            subscription,
            body: envelope(notice.event, subscription, now, payload),
            state: 'withheld',
            dueAt: now + mode.delay_ms,
            attempts: []
          })
        )
      })
      deliveries.push(...batch)
      if (!mode.withhold) wait(batch)
    },

    setMode(next: Mode) {
      mode = next
    },

    /** Lets go of what was withheld; with `reorder`, the newest first. */
    release() {
      const withheld = deliveries.filter(({ state }) => state === 'withheld')
      mode = { ...mode, withhold: false }
      wait(withheld)
      return withheld.length
    },

    list: (): readonly Delivery[] => deliveries,

    reset() {
      waiting.clear()
      failing.clear()
      deliveries.length = 0
      mode = orderly
      arm()
    },

    async close() {
      isClosed = true
      clearTimeout(timer)
      await callbacks.close()
    }
  }
}
