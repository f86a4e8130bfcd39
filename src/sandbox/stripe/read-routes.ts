import type { Account } from './account.ts'
import type { Shown } from './expand.ts'
import { type Form, listIn } from './form.ts'
import type { Permission } from './keys.ts'
import { pageOf, pageParameters } from './pages.ts'
import { refuseUnknown, textIn } from './parameters.ts'
import { type Dated, isOwnedBy, type Owner } from './records.ts'
import {
  accountBody,
  balanceBody,
  chargeBody,
  disputeBody,
  eventBody,
  intentBody,
  refundBody
} from './render.ts'
import { find, type Route } from './route.ts'
import { apiVersion } from './version.ts'

type Collection<R> = {
  url: string
  permission: Permission
  /** What Stripe calls one of them, and the parameter that names it, where it says that there is none. */
  what: Shown
  param?: string
  records: ReadonlyMap<string, R>
  body: (record: R) => object
  filters: readonly string[]
  matches: (query: Form) => (record: R) => boolean
}

type OfCharge = { charge: { id: string; intent: { id: string } } }

const all = () => () => true

/** Everything that is only looked at: by id, and in pages that filters narrow. */
export function readRoutes(route: Route, account: Account) {
  const { charges, intents, refunds, disputes, events } = account

  function read<R extends Owner & Dated>({ url, permission, what, param = 'id', ...rest }: Collection<R>) {
    const { records, body, filters, matches } = rest
    route('GET', `${url}/:id`, { permission, shown: what }, ({ key, id, query }) => {
      refuseUnknown(query, [])
      return body(find(records, id, { key, what, param }))
    })
    route('GET', url, { permission, shown: what, isList: true }, ({ key, query, path }) => {
      refuseUnknown(query, [...filters, ...pageParameters])
      const [isOwned, isWanted] = [isOwnedBy(key), matches(query)]
      const wanted = [...records.values()].filter((record) => isOwned(record) && isWanted(record))
      return pageOf(wanted, body, { query, url: path })
    })
  }

  read({
    ...{ url: '/charges', permission: 'charges_read', what: 'charge', records: charges, body: chargeBody },
    filters: ['payment_intent', 'customer', 'transfer_group'],
    matches: (query) => {
      const intent = textIn(query, 'payment_intent')
      return (charge) => intent === undefined || charge.intent.id === intent
    }
  })
  read({
    ...{
      url: '/payment_intents',
      permission: 'payment_intents_read',
      what: 'payment_intent',
      param: 'intent'
    },
    ...{ records: intents, body: intentBody, filters: ['customer', 'customer_account'], matches: all }
  })
  read({
    ...{ url: '/refunds', permission: 'charges_read', what: 'refund', records: refunds, body: refundBody },
    ...{ filters: ['charge', 'payment_intent'], matches: ofCharge }
  })
  read({
    ...{ url: '/disputes', permission: 'disputes_read', what: 'dispute', param: 'dispute' },
    ...{ records: disputes, body: disputeBody, filters: ['charge', 'payment_intent'], matches: ofCharge }
  })
  read({
    ...{ url: '/events', permission: 'events_read', what: 'event', records: events },
    body: (event) => eventBody(event, apiVersion),
    filters: ['type', 'types', 'delivery_success'],
    matches: (query) => {
      const types = [textIn(query, 'type') ?? [], listIn(query.types)].flat()
      return ({ type }) => types.length === 0 || types.some((wanted) => isOfType(type, wanted))
    }
  })
  route('GET', '/account', { permission: 'account_read', shown: 'account' }, ({ key }) => accountBody(key))
  route('GET', '/balance', { permission: 'balance_read', shown: 'balance' }, ({ key }) =>
    balanceBody([...charges.values()].filter(isOwnedBy(key)), key)
  )
}

function ofCharge(query: Form) {
  const [charge, intent] = [textIn(query, 'charge'), textIn(query, 'payment_intent')]
  return (record: OfCharge) =>
    (charge === undefined || record.charge.id === charge) &&
    (intent === undefined || record.charge.intent.id === intent)
}

const isOfType = (type: string, wanted: string) =>
  wanted === type || (wanted.endsWith('*') && type.startsWith(wanted.slice(0, -1)))
