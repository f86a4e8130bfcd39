import type { CalendlyUser, WebhookSubscription } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import type { Call } from './call.ts'
import { CalendlyError, statusOf } from './errors.ts'
import { type Reads, readable, rethrow, when } from './reads.ts'
import { pathOf } from './uris.ts'
import { readSubscription, readSubscriptions } from './wire-resources.ts'

type Deps = { call: Call; reads: Reads; user: () => Promise<CalendlyUser> }
type Wanted = {
  url: string
  events: readonly string[]
  /** What may be left out, by what Calendly refuses together. */
  optionalEvents?: readonly (readonly string[])[]
  signingKey: string
}
type Created = { kind: 'created'; subscription: WebhookSubscription } | { kind: 'exists' }
type Scope = { organization: string; user?: string; scope: 'organization' | 'user' }

export function createSubscriptions({ call, reads, user }: Deps) {
  const list = (scope: Scope): Promise<WebhookSubscription[]> =>
    reads.list('/webhook_subscriptions', scope, readSubscriptions)

  async function scopes(): Promise<[ofAll: Scope, ofUser: Scope]> {
    const { organization, uri } = await user()
    return [
      { organization, scope: 'organization' },
      { organization, user: uri, scope: 'user' }
    ]
  }

  async function post(
    { url, signingKey }: Wanted,
    events: readonly string[],
    scope: Scope
  ): Promise<Created> {
    const body = { url, events, signing_key: signingKey, ...scope }
    return call({ method: 'POST', path: '/webhook_subscriptions', body }, { lane: 'resolution' }).then(
      ({ body }) => ({
        kind: 'created',
        subscription: readable(readSubscription(body), 'POST /webhook_subscriptions')
      }),
      when(409, () => ({ kind: 'exists' }))
    )
  }

  return {
    /** In the organisation's scope, or the user's where Calendly forbids that; or in both. */
    async listSubscriptions(inEveryScope = false): Promise<WebhookSubscription[]> {
      const [ofAll, ofUser] = await scopes()
      if (!inEveryScope) return list(ofAll).catch(when(403, () => list(ofUser)))
      const found = await Promise.all([list(ofAll).catch(when(403, () => [])), list(ofUser)])
      return found.flat()
    },

    /**
     * In the organisation's scope, or the user's where that is forbidden, with as many of the events as Calendly
     * allows. `exists` when it already has a subscription for this URL.
     */
    async createSubscription(wanted: Wanted): Promise<Created> {
      let refusal: unknown
      for (const scope of await scopes()) {
        for (const events of offersOf(wanted)) {
          try {
            return await post(wanted, events, scope)
          } catch (error) {
            if (![400, 403].includes(statusOf(error) ?? 0)) return rethrow(error)
            refusal = error
          }
        }
        if (statusOf(refusal) !== 403) break
      }
      return explain(refusal)
    },

    /** Done, too, when it is gone already. */
    async deleteSubscription(uri: string): Promise<void> {
      const path = pathOf('subscription', uri)
      if (path === undefined) return
      await call({ method: 'DELETE', path }, { lane: 'resolution' })
        .then(() => undefined)
        .catch(when(404, () => undefined))
        .catch(rethrow)
    }
  }
}

/** All events first, then without some of the optional ones, at last without any. */
function offersOf({ events, optionalEvents = [] }: Wanted): string[][] {
  let offers = [[...events]]
  for (const group of optionalEvents) {
    offers = offers.concat(offers.map((offer) => [...offer, ...group]))
  }
  return offers.sort((one, other) => other.length - one.length)
}

/** What is wrong with our own address may be said. */
function explain(error: unknown): never {
  if (error instanceof CalendlyError && error.status === 400) {
    throw new AppError('calendly_unavailable', `Calendly makes no subscription: ${error.problem.message}`, {
      cause: error
    })
  }
  return rethrow(error)
}
