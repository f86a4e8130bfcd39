import type { WebhookSubscription } from './calendly.ts'
import type { System } from './system.ts'

const events = ['invitee.created', 'invitee.canceled', 'invitee_no_show.created', 'invitee_no_show.deleted']

/** Our subscription as the latest look left it. */
export type SubscriptionReport = {
  state: WebhookSubscription['state'] | 'missing'
  callbackUrl: string
  /** Since when Calendly's deliveries fail. */
  retryStartedAt?: number | undefined
  checkedAt: number
}

export const isHealthy = ({ state, retryStartedAt }: SubscriptionReport) =>
  state === 'active' && retryStartedAt === undefined

type Deps = {
  system: Pick<System, 'now'>
  /** Where Calendly reaches the webhook route. */
  callbackUrl: string
  signingKey: string
  calendly: {
    listSubscriptions: () => Promise<readonly WebhookSubscription[]>
    createSubscription: (wanted: {
      url: string
      events: readonly string[]
      signingKey: string
    }) => Promise<{ kind: 'created'; subscription: WebhookSubscription } | { kind: 'exists' }>
    deleteSubscription: (uri: string) => Promise<void>
  }
  log: { info: (fields: object, phrase: string) => void; warn: (fields: object, phrase: string) => void }
}

/** Keeps one active webhook subscription on our address. Replicas may try at once: Calendly lets one win. */
export function createSubscription({ system, callbackUrl, signingKey, calendly, log }: Deps) {
  let seen: SubscriptionReport | undefined

  async function replace(disabled: readonly WebhookSubscription[]): Promise<WebhookSubscription | undefined> {
    for (const { uri } of disabled) {
      log.warn({ subscription: uri }, 'webhook subscription was disabled by Calendly: replacing it')
      await calendly.deleteSubscription(uri)
    }
    const outcome = await calendly.createSubscription({ url: callbackUrl, events, signingKey })
    if (outcome.kind === 'exists') {
      log.warn({ callback_url: callbackUrl }, 'webhook subscription exists where we cannot see it')
      return undefined
    }
    const { subscription } = outcome
    log.info({ subscription: subscription.uri, callback_url: callbackUrl }, 'webhook subscription made')
    return subscription
  }

  return {
    /** Undefined until this replica has looked. */
    lastSeen: (): SubscriptionReport | undefined => seen,

    async ensure(): Promise<void> {
      const ours = (await calendly.listSubscriptions()).filter((each) => each.callbackUrl === callbackUrl)
      let left = ours.find(({ state }) => state === 'active') ?? ours[0]
      try {
        if (left?.state !== 'active') left = await replace(ours)
      } finally {
        const { state = 'missing', retryStartedAt } = left ?? {}
        seen = { state, callbackUrl, retryStartedAt, checkedAt: system.now() }
      }
    }
  }
}

export type Subscription = ReturnType<typeof createSubscription>
