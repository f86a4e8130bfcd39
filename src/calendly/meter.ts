/** Percentiles are milliseconds over the latest exchanges. */
export type EndpointReport = { count: number; errors: number; p50: number; p95: number; p99: number }

type Row = { count: number; errors: number; durations: number[] }

/** Counts exchanges by endpoint and keeps the durations of the latest `size` of each. */
export function createMeter({ now, size = 512 }: { now: () => number; size?: number }) {
  const rows = new Map<string, Row>()
  let failuresInARow = 0
  return {
    record(endpoint: string, startedAt: number, isError: boolean) {
      const row = rows.get(endpoint) ?? { count: 0, errors: 0, durations: [] }
      rows.set(endpoint, row)
      row.durations[row.count % size] = now() - startedAt
      row.count++
      if (isError) row.errors++
      failuresInARow = isError ? failuresInARow + 1 : 0
    },
    report: () => ({
      failuresInARow,
      requests: Object.fromEntries([...rows].map(([endpoint, row]) => [endpoint, summarize(row)]))
    })
  }
}

export type Meter = ReturnType<typeof createMeter>

function summarize({ count, errors, durations }: Row): EndpointReport {
  const ascending = durations.toSorted((a, b) => a - b)
  const percentile = (share: number) => ascending[Math.ceil(ascending.length * share) - 1] ?? 0
  return { count, errors, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) }
}
