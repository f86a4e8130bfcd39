import type { WebhookSubscription } from './calendly.ts'

/** Our subscription as the latest look of any replica left it. */
export type SubscriptionReport = {
  state: WebhookSubscription['state'] | 'missing'
  callbackUrl: string
  /** The path it is on; absent for the bare one. */
  slot?: string | undefined
  /** When the key of that slot was made. */
  keyCreatedAt?: number | undefined
  /** URI at Calendly, and the scope there: `organization` or `user`. */
  uri?: string | undefined
  scope?: string | undefined
  /** What Calendly tells us of. */
  events: readonly string[]
  /** Since when Calendly's deliveries fail. */
  retryStartedAt?: number | undefined
  /** Since when webhooks may have been lost, while none is active. */
  missedSince?: number | undefined
  createdAt?: number | undefined
  checkedAt: number
}

/** As its reader sees it. `detail` says why there is none. */
export type ShownSubscription = Omit<SubscriptionReport, 'callbackUrl' | 'checkedAt'> & {
  callbackUrl?: string | undefined
  checkedAt?: number | undefined
  lastDeliveryAt?: number | undefined
  detail?: string | undefined
}

/** What news of it is counted for. */
export const subscriptionSubject = 'calendly_subscription'

/** Who changes it holds this lease. */
export const subscriptionLease = 'subscription'

/** Without these no subscription is good enough. */
export const essentialEvents = [
  'invitee.created',
  'invitee.canceled',
  'invitee_no_show.created',
  'invitee_no_show.deleted'
] as const

/** What Calendly may refuse to some, by what it may refuse together. */
export const optionalEvents = [
  ['routing_form_submission.created'],
  ['event_type.created', 'event_type.updated', 'event_type.deleted']
] as const

export const isHealthy = ({ state, retryStartedAt }: SubscriptionReport) =>
  state === 'active' && retryStartedAt === undefined
