import { type Attempt, type CallbackTimeouts, openCallbacks, type Recipient } from '../callbacks.ts'
import type { Clock } from '../clock.ts'
import { createQueue, type Message } from '../queue.ts'
import { isOwnedBy, newId, type Owner, type StripeEvent } from './records.ts'
import { eventBody } from './render.ts'
import { apiVersion } from './version.ts'

export type Endpoint = Owner & {
  id: string
  url: string
  secret: string
  /** `*` for all. */
  events: readonly string[]
}

export type Delivery = Message & {
  event: string
  type: string
  endpoint: Endpoint
  body: string
  attempts: Attempt[]
}

export type WebhookOptions = CallbackTimeouts & {
  /** How long to wait after the nth failed attempt; Stripe's own schedule is not published. */
  retryDelayMs: (failures: number) => number
}

const dayMs = 86_400_000
/** https://docs.stripe.com/webhooks#automatic-retries */
const patienceMs = { live: 3 * dayMs, test: dayMs }

/** Signs events as Stripe does and sends them until they are accepted, as disorderly as it is told to. */
export function openWebhooks(clock: Clock, options: WebhookOptions) {
  const callbacks = openCallbacks(options)
  const queue = createQueue<Delivery>(clock, send)
  let endpoints: Endpoint[] = []
  let told: StripeEvent[] = []

  async function send(delivery: Delivery) {
    const { endpoint, attempts, body } = delivery
    delivery.state = 'sending'
    const attempt = await callbacks.post(recipientOf(endpoint), body, clock.now())
    attempts.push(attempt)
    if (attempt.isAccepted) delivery.state = 'delivered'
    else if (!endpoints.includes(endpoint) || isGivenUp(delivery)) delivery.state = 'lost'
    else queue.again(delivery, clock.now() + options.retryDelayMs(attempts.length))
  }

  function isGivenUp({ endpoint, attempts: [first] }: Delivery): boolean {
    const since = first ? Date.parse(first.at) : clock.now()
    return clock.now() >= since + (endpoint.livemode ? patienceMs.live : patienceMs.test)
  }

  /** What one act told goes together, so that it can be reordered. */
  function flush() {
    const batch = told.flatMap((event) => {
      const body = JSON.stringify(eventBody(event, apiVersion))
      return queue
        .copies(endpoints.filter((endpoint) => wants(endpoint, event)))
        .map((endpoint): Delivery => {
          const { id, type } = event
          return { event: id, type, endpoint, body, state: 'withheld', dueAt: queue.dueAt(), attempts: [] }
        })
    })
    told = []
    queue.post(batch)
  }

  return {
    publish(event: StripeEvent) {
      told.push(event)
      if (told.length === 1) setImmediate(flush)
    },

    addEndpoint(given: Omit<Endpoint, 'id'>): Endpoint {
      const endpoint = { id: newId('we'), ...given }
      endpoints.push(endpoint)
      return endpoint
    },

    endpoints: (): readonly Endpoint[] => endpoints,

    removeEndpoints() {
      endpoints = []
    },

    setMode: queue.setMode,
    release: queue.release,
    list: queue.list,

    clear() {
      endpoints = []
      told = []
      queue.clear()
    },

    async close() {
      queue.close()
      await callbacks.close()
    }
  }
}

export type Webhooks = ReturnType<typeof openWebhooks>

const wants = (endpoint: Endpoint, event: StripeEvent) =>
  isOwnedBy(endpoint)(event) && (endpoint.events.includes('*') || endpoint.events.includes(event.type))

const recipientOf = ({ url, secret }: Endpoint): Recipient => ({
  url,
  key: secret,
  signatureHeader: 'stripe-signature',
  headers: {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)'
  }
})
