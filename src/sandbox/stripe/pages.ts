import { malformed } from './errors.ts'
import type { Form } from './form.ts'
import { createdIn, integerIn, textIn } from './parameters.ts'
import type { Dated } from './records.ts'

export const pageParameters = ['limit', 'starting_after', 'ending_before', 'created'] as const

/** A page of what was given oldest first, the newest first. https://docs.stripe.com/api/pagination */
export function pageOf<R extends Dated>(
  records: Iterable<R>,
  body: (record: R) => object,
  { query, url }: { query: Form; url: string }
) {
  const limit = integerIn(query, 'limit', { least: 1, most: 100 }) ?? 10
  const isWanted = createdIn(query)
  const newest = [...records].filter(({ created }) => isWanted(created)).reverse()
  const after = placeOf(newest, query, 'starting_after')
  const before = placeOf(newest, query, 'ending_before')
  const asked = newest.slice(after === undefined ? 0 : after + 1, before)
  const page = before === undefined ? asked.slice(0, limit) : asked.slice(-limit)
  return { object: 'list', data: page.map(body), has_more: asked.length > limit, url }
}

function placeOf(newest: readonly Dated[], query: Form, param: string): number | undefined {
  const id = textIn(query, param)
  if (id === undefined) return undefined
  const index = newest.findIndex((record) => record.id === id)
  if (index < 0) throw malformed(`No such object: '${id}'`, { code: 'resource_missing', param })
  return index
}
