import type { WebhookSubscription } from './calendly.ts'

const events = ['invitee.created', 'invitee.canceled', 'invitee_no_show.created', 'invitee_no_show.deleted']

type Deps = {
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
export function createSubscription({ callbackUrl, signingKey, calendly, log }: Deps) {
  return {
    async ensure(): Promise<void> {
      const ours = (await calendly.listSubscriptions()).filter((each) => each.callbackUrl === callbackUrl)
      if (ours.some(({ state }) => state === 'active')) return
      for (const disabled of ours) {
        log.warn(
          { subscription: disabled.uri },
          'webhook subscription was disabled by Calendly: replacing it'
        )
        await calendly.deleteSubscription(disabled.uri)
      }
      const outcome = await calendly.createSubscription({ url: callbackUrl, events, signingKey })
      if (outcome.kind === 'created') {
        log.info(
          { subscription: outcome.subscription.uri, callback_url: callbackUrl },
          'webhook subscription made'
        )
      } else {
        log.warn({ callback_url: callbackUrl }, 'webhook subscription exists where we cannot see it')
      }
    }
  }
}

export type Subscription = ReturnType<typeof createSubscription>
