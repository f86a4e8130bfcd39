import { malformed } from './errors.ts'
import type { Form, FormValue } from './form.ts'

export function refuseUnknown(form: Form, known: readonly string[]) {
  const unknown = Object.keys(form).find((name) => name !== 'expand' && !known.includes(name))
  if (unknown === undefined) return
  throw malformed(`Received unknown parameter: ${unknown}`, { code: 'parameter_unknown', param: unknown })
}

export function textIn(form: Form, param: string): string | undefined {
  const value = form[param]
  if (typeof value === 'object') throw malformed('Invalid string', { param })
  if (value === '') throw malformed('This value cannot be empty.', { code: 'parameter_invalid_empty', param })
  return value
}

export function choiceIn(form: Form, param: string, choices: readonly string[]): string | undefined {
  const value = textIn(form, param)
  if (value === undefined || choices.includes(value)) return value
  throw malformed(`Invalid ${param}: must be one of ${choices.join(', ')}`, { param })
}

/** Within the bounds, or Stripe's refusal. */
export function integerIn(
  form: Form,
  param: string,
  { least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER }: { least?: number; most?: number } = {}
): number | undefined {
  const value = textIn(form, param)
  if (value === undefined) return undefined
  const options = { code: 'parameter_invalid_integer', param }
  if (!/^-?\d+$/.test(value)) throw malformed(`Invalid integer: ${value}`, options)
  const number = Number(value)
  if (number < least) throw malformed(`This value must be greater than or equal to ${least}.`, options)
  if (number > most) throw malformed(`This value must be less than or equal to ${most}.`, options)
  return number
}

// https://docs.stripe.com/api/metadata
const most = { keys: 50, nameLength: 40, valueLength: 500 }

export function metadataIn({ metadata }: Form): Record<string, string> {
  const entries = Object.entries(typeof metadata === 'object' ? metadata : {})
  if (typeof metadata === 'string' && metadata !== '')
    throw malformed('Invalid object', { param: 'metadata' })
  if (entries.length > most.keys) {
    throw malformed(`Metadata can have up to ${most.keys} keys.`, { param: 'metadata' })
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, metadataValue(name, value)]))
}

function metadataValue(name: string, value: FormValue): string {
  const param = `metadata[${name}]`
  if (typeof value === 'object') throw malformed('Metadata values must be strings.', { param })
  if (name.length > most.nameLength) {
    throw malformed(`Metadata keys can have up to ${most.nameLength} characters.`, { param })
  }
  if (value.length > most.valueLength) {
    throw malformed(`Metadata values can have up to ${most.valueLength} characters.`, { param })
  }
  return value
}

/** `created=1`, or `created[gte]=1&created[lt]=2`. */
export function createdIn({ created }: Form): (at: number) => boolean {
  if (created === undefined) return () => true
  if (typeof created === 'string') {
    const exactly = integerIn({ created }, 'created')
    return (at) => at === exactly
  }
  refuseUnknown(created, ['gt', 'gte', 'lt', 'lte'])
  const bound = (name: string, otherwise: number) => integerIn(created, name) ?? otherwise
  const [gt, gte] = [bound('gt', Number.NEGATIVE_INFINITY), bound('gte', Number.NEGATIVE_INFINITY)]
  const [lt, lte] = [bound('lt', Number.POSITIVE_INFINITY), bound('lte', Number.POSITIVE_INFINITY)]
  return (at) => at > gt && at >= gte && at < lt && at <= lte
}
