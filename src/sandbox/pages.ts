import { invalid } from './errors.ts'
import { origin } from './identifiers.ts'

type Key = readonly (string | number)[]
type Comparison = (one: Key, other: Key) => number

type Listing<T extends { uri: string }> = {
  /** Path and query as asked; the addresses of the neighbouring pages repeat them. */
  url: string
  query: { count: number; page_token?: string | undefined; sort?: string | undefined }
  /** Values that `sort` may name. */
  sorts: Record<string, (item: T) => string | number>
  defaultSort: string
  body: (item: T) => unknown
}

/** One page by key, not by number: rows that come and go meanwhile move nobody else's page. */
export function page<T extends { uri: string }>(items: Iterable<T>, listing: Listing<T>) {
  const { query, url, body } = listing
  const { keyOf, compare } = order(listing)
  const rows = Array.from(items, (item) => ({ item, key: keyOf(item) })).sort((one, other) =>
    compare(one.key, other.key)
  )
  const from = startOf(rows, query, compare)
  const to = Math.min(rows.length, from + query.count)
  const token = (side: 'after' | 'before', key: Key | undefined) =>
    key && Buffer.from(JSON.stringify([side, ...key])).toString('base64url')
  const next = to < rows.length ? token('after', rows[to - 1]?.key) : undefined
  const previous = from > 0 ? token('before', rows[from]?.key) : undefined
  const address = (pageToken: string | undefined) => {
    if (pageToken === undefined) return null
    const neighbour = new URL(url, origin)
    neighbour.searchParams.set('count', String(query.count))
    neighbour.searchParams.set('page_token', pageToken)
    return neighbour.href
  }
  return {
    collection: rows.slice(from, to).map(({ item }) => body(item)),
    pagination: {
      count: to - from,
      next_page: address(next),
      previous_page: address(previous),
      next_page_token: next ?? null,
      previous_page_token: previous ?? null
    }
  }
}

function order<T extends { uri: string }>({ query, sorts, defaultSort }: Listing<T>) {
  const terms = (query.sort ?? defaultSort).split(',').map((term) => {
    const [field = '', direction = 'asc'] = term.split(':')
    const read = Object.hasOwn(sorts, field) ? sorts[field] : undefined
    if (!read || !['asc', 'desc'].includes(direction)) {
      throw invalid({ parameter: 'sort', message: 'is invalid' })
    }
    return { read, sign: direction === 'asc' ? 1 : -1 }
  })
  const keyOf = (item: T): Key => [...terms.map(({ read }) => read(item)), item.uri]
  const compare: Comparison = (one, other) => {
    for (const [index, value] of one.entries()) {
      const against = other[index] ?? ''
      if (value !== against) return (value < against ? -1 : 1) * (terms[index]?.sign ?? 1)
    }
    return 0
  }
  return { keyOf, compare }
}

function startOf(
  rows: readonly { key: Key }[],
  { page_token, count }: { page_token?: string | undefined; count: number },
  compare: Comparison
): number {
  if (page_token === undefined) return 0
  const { side, key } = readToken(page_token)
  const found = rows.findIndex((row) => compare(row.key, key) >= (side === 'after' ? 1 : 0))
  const index = found < 0 ? rows.length : found
  return side === 'after' ? index : Math.max(0, index - count)
}

function readToken(text: string): { side: 'after' | 'before'; key: Key } {
  try {
    const [side, ...key] = JSON.parse(Buffer.from(text, 'base64url').toString())
    if ((side === 'after' || side === 'before') && key.length > 0) return { side, key }
  } catch {
    // Whatever was in it, it is none of ours.
  }
  throw invalid({ parameter: 'page_token', message: 'is invalid' })
}
