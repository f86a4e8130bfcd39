import type { Account } from './account.ts'
import { malformed } from './errors.ts'
import { chargeBody, intentBody, refundBody } from './render.ts'

/** What an answer is made of, for what may be expanded in it. */
export type Shown = 'charge' | 'payment_intent' | 'refund' | 'dispute' | 'event' | 'account' | 'balance'

type Body = { [name: string]: unknown }

const deepest = 4

// What is null here may be expanded as well, to null.
const nothing = null
const common = { customer: nothing, balance_transaction: nothing }
const links: Readonly<Record<Shown, { readonly [name: string]: Shown | null }>> = {
  charge: { ...common, payment_intent: 'payment_intent', refunds: 'refund', application: nothing },
  payment_intent: { ...common, latest_charge: 'charge', payment_method: nothing },
  refund: { ...common, charge: 'charge', payment_intent: 'payment_intent' },
  dispute: { charge: 'charge', payment_intent: 'payment_intent' },
  event: {},
  account: {},
  balance: {}
}

/** Refuses what cannot be expanded, before anything is done. https://docs.stripe.com/api/expanding_objects */
export function checkPaths(paths: readonly string[], shown: Shown, isList: boolean): void {
  for (const path of paths) {
    const names = path.split('.')
    if (names.length > deepest) {
      throw malformed(`You cannot expand more than ${deepest} levels of a property.`, { param: 'expand' })
    }
    if (!canExpand(names, shown, isList)) {
      throw malformed(`This property cannot be expanded (${path}).`, { param: 'expand' })
    }
  }
}

function canExpand([name, ...rest]: readonly string[], shown: Shown, isList: boolean): boolean {
  if (name === undefined) return true
  if (isList) return name === 'data' && canExpand(rest, shown, false)
  const next = links[shown][name]
  if (next === undefined) return false
  return next === null ? rest.length === 0 : canExpand(rest, next, name === 'refunds')
}

/** The body with what was asked for in place of its ids. */
export function expand(account: Account, body: object, paths: readonly string[]): object {
  for (const path of paths) follow(account, body as Body, path.split('.'))
  return body
}

function follow(account: Account, body: Body, [name, ...rest]: readonly string[]): void {
  if (name === undefined) return
  if (name === 'refunds') body.refunds ??= refundsOf(account, String(body.id))
  const value = body[name]
  if (typeof value === 'string') body[name] = lookedUp(account, value)
  for (const inner of [body[name]].flat()) {
    if (typeof inner === 'object' && inner !== null) follow(account, inner as Body, rest)
  }
}

function refundsOf({ charges }: Account, id: string) {
  const refunds = (charges.get(id)?.refunds ?? []).toReversed()
  const url = `/v1/charges/${id}/refunds`
  return { object: 'list', data: refunds.slice(0, 10).map(refundBody), has_more: refunds.length > 10, url }
}

function lookedUp({ charges, intents }: Account, id: string): unknown {
  const charge = charges.get(id)
  if (charge) return chargeBody(charge)
  const intent = intents.get(id)
  return intent ? intentBody(intent) : id
}
