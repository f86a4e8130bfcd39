import type { WebhookSubscription } from './calendly.ts'
import { essentialEvents, type SubscriptionReport } from './subscription.ts'
import { isSlot, type LiveSlot } from './webhook-slots.ts'

/** A subscription on an address of ours; without a slot on the bare path. */
export type Hook = WebhookSubscription & { slot: string | undefined }

/** What there is at Calendly, and which of it is to stay. */
export type Sight = {
  hooks: readonly Hook[]
  /** Slots that nothing has replaced, oldest first. */
  slots: readonly LiveSlot[]
  /** The one that is active, complete and on the newest path. */
  keeper: Hook | undefined
  /** The one on the newest path, in whatever state. */
  newest: Hook | undefined
}

/** Judges subscriptions by their addresses: `callbackUrl` itself, or a slot below it. */
export function sightOf(
  subscriptions: readonly WebhookSubscription[],
  slots: readonly LiveSlot[],
  callbackUrl: string
): Sight {
  const hooks = subscriptions
    .flatMap((each) => ours(each, callbackUrl))
    .sort((one, other) => rank(other, slots) - rank(one, slots))
  const heard = hooks.filter((hook) => rank(hook, slots) >= 0)
  return { hooks, slots, keeper: heard.find(isComplete), newest: heard[0] }
}

/** A live slot that Calendly knows nothing of: its subscription was never made, or somebody deleted it. */
export const freeSlotOf = ({ hooks, slots }: Sight): string | undefined =>
  slots.findLast(({ slot }) => !hooks.some((hook) => hook.slot === slot))?.slot

export const isOnBarePath = ({ slot }: Hook): boolean => slot === undefined

/** How it stands with `hook`; with none it is missing. */
export function reportOf(
  hook: Hook | undefined,
  slots: readonly LiveSlot[],
  base: Pick<SubscriptionReport, 'callbackUrl' | 'missedSince' | 'checkedAt'>
): SubscriptionReport {
  if (!hook) return { ...base, state: 'missing', events: [] }
  const { state, callbackUrl, slot, uri, scope, events, retryStartedAt, createdAt } = hook
  const keyCreatedAt = slots.find((one) => one.slot === slot)?.createdAt
  return { ...base, state, callbackUrl, slot, keyCreatedAt, uri, scope, events, retryStartedAt, createdAt }
}

function ours(subscription: WebhookSubscription, callbackUrl: string): Hook[] {
  const { callbackUrl: url } = subscription
  if (url === callbackUrl) return [{ ...subscription, slot: undefined }]
  const slot = url.startsWith(`${callbackUrl}/`) ? url.slice(callbackUrl.length + 1) : ''
  return isSlot(slot) ? [{ ...subscription, slot }] : []
}

/** 0 for the bare path, more the newer the slot, less than 0 where nothing is accepted for long. */
const rank = ({ slot }: Hook, slots: readonly LiveSlot[]): number =>
  slot === undefined ? 0 : slots.findIndex((one) => one.slot === slot) + 1 || -1

const isComplete = ({ state, events }: Hook) =>
  state === 'active' && essentialEvents.every((event) => events.includes(event))
