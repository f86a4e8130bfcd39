import { missing } from './errors.ts'
import type { Shown } from './expand.ts'
import type { Form } from './form.ts'
import type { Key, Permission } from './keys.ts'
import { type By, isOwnedBy, type Owner } from './records.ts'

/** `form` is of the body, `query` of the address; `by` is who asks, for the events that come of it. */
export type Asked = { key: Key; id: string; path: string; query: Form; form: Form; by: By }

type Terms = { permission: Permission; shown: Shown; isList?: boolean }

export type Route = (
  method: 'GET' | 'POST',
  url: string,
  terms: Terms,
  handle: (asked: Asked) => object
) => void

/** Of the key's account and mode alone: another's does not exist. */
export function find<R extends Owner>(
  records: ReadonlyMap<string, R>,
  id: string,
  { key, what, param }: { key: Key; what: string; param: string }
): R {
  const found = records.get(id)
  if (!found || !isOwnedBy(key)(found)) throw missing(what, id, param)
  return found
}
