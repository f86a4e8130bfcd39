import { AppError } from '../core/errors.ts'
import type { Call } from './call.ts'
import { CalendlyError, ExchangeError, statusOf } from './errors.ts'
import type { Lane } from './governor.ts'
import type { Query } from './send.ts'
import { apiOrigin } from './uris.ts'
import type { Page } from './wire.ts'

// Of a hundred each: more than anybody has, and less than an endless chain of pages.
const mostPages = 100

type Reader<T> = (body: unknown) => T | undefined

type Deps = {
  call: Call
  baseUrl: string
  /** Whose part of the quota these reads may use. */
  lane: Lane
  now: () => number
}

export function createReads({ call, baseUrl, lane, now }: Deps) {
  const ownOrigins = [apiOrigin, new URL(baseUrl).origin]

  async function get<T>(path: string, query: Query, read: Reader<T>, startedAt = now()): Promise<T> {
    const { body } = await call({ method: 'GET', path, query }, { lane, startedAt }).catch(rethrow)
    return readable(read(body), `GET ${path}`)
  }

  /** One page of a collection, and the token of the one after it. */
  async function getPage<T>(
    path: string,
    query: Query,
    readPage: Reader<Page<T>>,
    token: string | undefined,
    startedAt = now()
  ): Promise<{ items: readonly T[]; next: string | undefined }> {
    const page = await get(path, { ...query, count: '100', page_token: token }, readPage, startedAt)
    return { items: page.items, next: nextToken(page) }
  }

  /** All pages of a collection, within the deadline of one call. */
  async function list<T>(path: string, query: Query, readPage: Reader<Page<T>>): Promise<T[]> {
    const items: T[] = []
    const seen = new Set<string>()
    const startedAt = now()
    let token: string | undefined
    do {
      const page = await getPage(path, query, readPage, token, startedAt)
      items.push(...page.items)
      token = page.next
      if (token && (seen.has(token) || seen.size === mostPages)) {
        throw new AppError('calendly_unavailable', `The pages of ${path} do not end`)
      }
      if (token) seen.add(token)
    } while (token)
    return items
  }

  // Only the token is taken from `next_page`, and our own base URL asked: credentials go nowhere else.
  function nextToken({ nextPage, nextPageToken }: Page<unknown>): string | undefined {
    if (nextPage === undefined) return nextPageToken
    const url = URL.parse(nextPage, apiOrigin)
    if (!url || !ownOrigins.includes(url.origin)) {
      throw new AppError('calendly_unavailable', 'Calendly named a next page on another host')
    }
    return readable(nextPageToken ?? url.searchParams.get('page_token') ?? undefined, 'next_page')
  }

  return { get, getPage, list }
}

export type Reads = ReturnType<typeof createReads>

/** The value, or `calendly_unavailable` where Calendly's answer could not be understood. */
export function readable<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value
  throw new AppError('calendly_unavailable', `Calendly's answer cannot be read: ${what}`)
}

/** Calendly's failures as the service's own. Its words are left out: they may tell of people, and end up in a log. */
export function rethrow(error: unknown): never {
  if (error instanceof ExchangeError) {
    throw new AppError('calendly_unavailable', `Calendly did not answer: ${error.message}`, { cause: error })
  }
  if (error instanceof CalendlyError) {
    const { message, retryAfterMs } = error
    throw new AppError('calendly_unavailable', message, {
      cause: error,
      ...(retryAfterMs !== undefined && { retryAfterMs })
    })
  }
  throw error
}

/** What to do instead when Calendly gives one certain status; every other failure goes on. */
export function when<T>(status: number, instead: () => T): (error: unknown) => T {
  return (error) => {
    if (statusOf(error) === status) return instead()
    throw error
  }
}
