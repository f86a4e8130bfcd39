import type { FastifyRequest } from 'fastify'
import { StripeError } from './errors.ts'
import { type Owner, standardAccount } from './records.ts'

/** What a restricted key may be allowed. Stripe has one permission for charges and refunds, to read or to write. */
export const permissionNames = [
  'charges_read',
  'refunds_write',
  'payment_intents_read',
  'disputes_read',
  'events_read',
  'balance_read',
  'account_read'
] as const

export type Permission = (typeof permissionNames)[number]

export type Key = Owner & {
  name: string
  value: string
  /** Without a list it may do everything. */
  permissions?: readonly Permission[] | undefined
}

export const standardKeys: readonly Key[] = [
  { name: 'secret', value: 'sk_test_sandbox', account: standardAccount, livemode: false },
  {
    ...{ name: 'restricted', value: 'rk_test_sandbox', account: standardAccount, livemode: false },
    permissions: ['charges_read', 'payment_intents_read', 'refunds_write', 'disputes_read']
  },
  { name: 'live', value: 'sk_live_sandbox', account: standardAccount, livemode: true }
]

const nameAtStripe: Readonly<Record<Permission, string>> = {
  charges_read: 'rak_charge_read',
  refunds_write: 'rak_charge_write',
  payment_intents_read: 'rak_payment_intent_read',
  disputes_read: 'rak_dispute_read',
  events_read: 'rak_event_read',
  balance_read: 'rak_balance_read',
  account_read: 'rak_accounts_read'
}

/** What the request was sent with, as a bearer or as the user of Basic. */
export function secretOf({ headers }: FastifyRequest): string | undefined {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ')
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() === 'basic') return Buffer.from(value, 'base64').toString().split(':')[0]
  return undefined
}

export function keyOf(keys: readonly Key[], request: FastifyRequest): Key {
  const secret = secretOf(request)
  if (!secret) throw new StripeError(401, 'You did not provide an API key.')
  const key = keys.find(({ value }) => value === secret)
  if (!key) throw new StripeError(401, `Invalid API Key provided: ${hidden(secret)}`)
  return key
}

export function demand({ permissions, value, account }: Key, permission: Permission): void {
  const granted = permissions ?? permissionNames
  const isGranted =
    granted.includes(permission) || (permission === 'charges_read' && granted.includes('refunds_write'))
  if (isGranted) return
  throw new StripeError(
    403,
    `The provided key '${hidden(value)}' does not have the required permissions for this endpoint on account ` +
      `'${account}'. Having the '${nameAtStripe[permission]}' permission would allow this request to continue.`
  )
}

const hidden = (secret: string) => `${secret.slice(0, 8)}***`
