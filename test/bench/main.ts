import { parseArgs } from 'node:util'
import { availability } from './availability.ts'
import { bookings } from './bookings.ts'
import { client } from './client.ts'
import type { Benchmark, Verdict } from './support/benchmark.ts'
import { webhooks } from './webhooks.ts'

const benchmarks: Readonly<Record<string, Benchmark>> = { availability, bookings, client, webhooks }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Fewer and shorter rounds; of figures that are about time the best round counts, not the middle one. */
    bounded: { type: 'boolean', default: false }
  }
})
const unknown = positionals.filter((name) => !(name in benchmarks))
if (unknown.length > 0) {
  throw new Error(`No such benchmark: ${unknown.join(', ')}. There are ${Object.keys(benchmarks).join(', ')}`)
}

const counts = { passed: 0, failed: 0 }
for (const [name, run] of Object.entries(benchmarks)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const report = ({ title, isPassed, words }: Verdict) => {
    counts[isPassed ? 'passed' : 'failed']++
    console.log(`${isPassed ? 'passed' : 'FAILED'}  ${name}, ${title}: ${words}`)
  }
  await run({ isBounded: values.bounded, report }).catch((error: Error) =>
    report({ title: 'cut short', isPassed: false, words: String(error.stack) })
  )
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1)
