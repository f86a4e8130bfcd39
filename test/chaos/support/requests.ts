import type { Stage } from './stage.ts'

/** A request as Calendly saw it; `at` is epoch milliseconds. */
export type Seen = { at: number; method: string; path: string; token: string | null; status: number | null }

/** What Calendly was asked since `from`, oldest first. */
export async function requestsSince(stage: Stage, from: number): Promise<Seen[]> {
  const { requests } = await stage.control('GET', '/requests')
  return requests
    .map((request: Omit<Seen, 'at'> & { at: string }) => ({ ...request, at: Date.parse(request.at) }))
    .filter(({ at }: Seen) => at >= from)
}
