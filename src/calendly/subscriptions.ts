import type { CalendlyUser, WebhookSubscription } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import type { Call } from './call.ts'
import { CalendlyError } from './errors.ts'
import { type Reads, readable, rethrow, when } from './reads.ts'
import { pathOf } from './uris.ts'
import { readSubscription, readSubscriptions } from './wire-resources.ts'

type Deps = { call: Call; reads: Reads; user: () => Promise<CalendlyUser> }
type Wanted = { url: string; events: readonly string[]; signingKey: string }
type Created = { kind: 'created'; subscription: WebhookSubscription } | { kind: 'exists' }
type Scope = { organization: string; user?: string; scope: 'organization' | 'user' }

/** What is wrong with our own address may be said. */
function explain(error: unknown): never {
  if (error instanceof CalendlyError && error.status === 400) {
    throw new AppError('calendly_unavailable', `Calendly makes no subscription: ${error.problem.message}`, {
      cause: error
    })
  }
  return rethrow(error)
}

export function createSubscriptions({ call, reads, user }: Deps) {
  /** In the organisation's scope, or the user's where Calendly forbids that. */
  async function inWidestScope<T>(run: (scope: Scope) => Promise<T>): Promise<T> {
    const { organization, uri } = await user()
    return run({ organization, scope: 'organization' }).catch(
      when(403, () => run({ organization, user: uri, scope: 'user' }))
    )
  }

  return {
    listSubscriptions: (): Promise<WebhookSubscription[]> =>
      inWidestScope((scope) => reads.list('/webhook_subscriptions', scope, readSubscriptions)),

    /** `exists` when Calendly already has a subscription for this URL. */
    createSubscription({ url, events, signingKey }: Wanted): Promise<Created> {
      return inWidestScope<Created>((scope) =>
        call(
          {
            method: 'POST',
            path: '/webhook_subscriptions',
            body: { url, events, signing_key: signingKey, ...scope }
          },
          { lane: 'resolution' }
        ).then(
          ({ body }) => ({
            kind: 'created',
            subscription: readable(readSubscription(body), 'POST /webhook_subscriptions')
          }),
          when(409, () => ({ kind: 'exists' }))
        )
      ).catch(explain)
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
