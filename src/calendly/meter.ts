/** What an exchange ended in, where it was not a success. */
export type ErrorClass =
  | 'timeout'
  | 'network'
  | 'unreadable'
  | 'unsent'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'rate_limited'
  | 'refused'
  | 'server'

/** `errors` leaves out refusals, which are answers; percentiles are milliseconds over the latest exchanges. */
export type EndpointReport = {
  count: number
  errors: number
  errorsByClass: Partial<Record<ErrorClass, number>>
  retries: number
  p50: number
  p95: number
  p99: number
  totalMs: number
}

export type Exchange = {
  endpoint: string
  startedAt: number
  errorClass?: ErrorClass | undefined
  isRetry: boolean
}

type Row = Pick<EndpointReport, 'count' | 'errors' | 'errorsByClass' | 'retries' | 'totalMs'> & {
  durations: number[]
}

// Neither are what waited for a connection of ours until it was too late.
const faultless: ReadonlySet<ErrorClass> = new Set(['forbidden', 'not_found', 'refused', 'unsent'])

export const isFault = (errorClass: ErrorClass | undefined) =>
  errorClass !== undefined && !faultless.has(errorClass)

/** Counts exchanges by endpoint and keeps the durations of the latest `size` of each. */
export function createMeter({ now, size = 512 }: { now: () => number; size?: number }) {
  const rows = new Map<string, Row>()
  let failuresInARow = 0
  let lastAt = 0
  return {
    record({ endpoint, startedAt, errorClass, isRetry }: Exchange): void {
      const row = rows.get(endpoint) ?? {
        count: 0,
        errors: 0,
        errorsByClass: {},
        retries: 0,
        totalMs: 0,
        durations: []
      }
      rows.set(endpoint, row)
      lastAt = now()
      const durationMs = lastAt - startedAt
      row.durations[row.count % size] = durationMs
      row.totalMs += durationMs
      row.count++
      if (isRetry) row.retries++
      if (errorClass) row.errorsByClass[errorClass] = (row.errorsByClass[errorClass] ?? 0) + 1
      if (isFault(errorClass)) row.errors++
      if (errorClass !== 'unsent') failuresInARow = isFault(errorClass) ? failuresInARow + 1 : 0
    },
    /** Whether the latest exchange failed, and nothing was asked for so long since. */
    isAiling: (idleMs: number) => failuresInARow > 0 && now() - lastAt >= idleMs,
    report: () => ({
      failuresInARow,
      calls: sum(rows, ({ count }) => count),
      retries: sum(rows, ({ retries }) => retries),
      requests: Object.fromEntries([...rows].map(([endpoint, row]) => [endpoint, summarize(row)]))
    })
  }
}

export type Meter = ReturnType<typeof createMeter>

const sum = (rows: ReadonlyMap<string, Row>, of: (row: Row) => number) =>
  [...rows.values()].reduce((total, row) => total + of(row), 0)

function summarize({ durations, errorsByClass, ...counts }: Row): EndpointReport {
  const ascending = durations.toSorted((a, b) => a - b)
  const percentile = (share: number) => ascending[Math.ceil(ascending.length * share) - 1] ?? 0
  return {
    ...counts,
    errorsByClass: { ...errorsByClass },
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99)
  }
}
