import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, openConsumer, register } from './support/consumers.ts'
import type { Experiment } from './support/experiment.ts'
import { openFacts } from './support/facts.ts'
import { atRate } from './support/load.ts'

const consumers = 10
const full = { seconds: 60, perSecond: 20 }
const bounded = { seconds: 8, perSecond: 5 }
const mostDelayMs = 2_000
/** Ends the wait for what is far too late anyway. */
const longestWorkMs = 30_000
/** That an endpoint has to bear of each replica. */
const mostAtOnce = 4

/** One of ten consumers takes everything and never answers. */
export const slowConsumer: Experiment = {
  // The embedded engine promises no latency.
  engines: ['postgresql'],
  sabotages: [
    {
      file: 'core/dispatcher.ts',
      mechanism: 'return due.length > 0',
      without: 'await Promise.all(inFlight.values())\n      return due.length > 0'
    }
  ],

  async run(stage, { isBounded }) {
    const { seconds, perSecond } = isBounded ? bounded : full
    const replicas = await stage.startReplicas()
    const silent = await openConsumer(stage, { takes: () => false })
    const others = await Promise.all(Array.from({ length: consumers - 1 }, () => openConsumer(stage)))
    for (const consumer of [silent, ...others]) await register(stage, replicas[0], consumer)
    const facts = openFacts(stage, replicas)
    const booked = await atRate(perSecond, sleep(seconds * 1_000), () => facts.book(1))
    for (const [n, { taken }] of others.entries()) {
      await stage.until(
        `consumer ${n} has been told of everything`,
        async () => taken.size,
        (size) => size >= booked.length,
        longestWorkMs
      )
    }
    const delays = others.flatMap(delaysOf).toSorted((a, b) => a - b)
    const p99 = delays[Math.floor(delays.length * 0.99)] ?? Number.POSITIVE_INFINITY
    assert(p99 < mostDelayMs, `the others’ 99th percentile is ${p99} ms`)
    assert(silent.mostAtOnce() > 0, 'the silent one was told, too')
    assert(silent.mostAtOnce() <= mostAtOnce * replicas.length, `it had ${silent.mostAtOnce()} at once`)
    return `${booked.length} facts to ${consumers}, the others’ p99 ${p99} ms, ${replicas.length} replicas`
  }
}

/** From each fact to when the consumer heard of it. */
function delaysOf({ taken }: Consumer): number[] {
  return [...taken.values()].map(
    ({ body, at: [at = Number.POSITIVE_INFINITY] }) => at - Date.parse(JSON.parse(body).timestamp)
  )
}
