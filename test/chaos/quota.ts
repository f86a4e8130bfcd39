import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { standard } from '../../src/sandbox/standard.ts'
import type { Answer } from '../support/service.ts'
import { assertOneEach, book, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { atRate } from './support/load.ts'
import { availabilityQuery, someRange } from './support/reads.ts'
import { requestsSince } from './support/requests.ts'
import { type Replicas, replicaOf } from './support/service.ts'
import type { Stage } from './support/stage.ts'

const asksPerSecond = { bounded: 100, full: 200 }
/** What the service may use of the free plan's 50 calls a minute. */
const ours = 40
/** What is left to availability, the rest being for bookings. */
const forAvailability = 34
const windowMs = 60_000
/** Until Calendly has told the end of a new window, the service expects it somewhat later. */
const lateMs = 8_000
/** Resets are told in whole seconds, and the machine is crowded. */
const earlyMs = 2_000

const { introCall, consultation, thirtyMinutes } = standard.eventTypes

/** Far more is asked of a small quota than it holds: nobody at Calendly notices, and bookings come first. */
export const quota: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'calendly/governor.ts',
      mechanism: 'if (!call.isGranted) {',
      without: 'if (false) {'
    }
  ],

  async run(stage, { isBounded }) {
    const [forMs, bookEveryMs] = isBounded ? [16_000, 5_000] : [80_000, 15_000]
    await stage.control('PUT', '/plan', { plan: 'free' })
    const replicas = await stage.startReplicas()
    const wished = await wishes(stage, replicas[0], Math.ceil(forMs / bookEveryMs) + 1)
    if (isBounded) await comeLate(stage, replicas)
    const passing = sleep(forMs)
    const perSecond = isBounded ? asksPerSecond.bounded : asksPerSecond.full
    const [asks, bookings] = await Promise.all([
      atRate(perSecond, passing, (turn) => ask(stage, replicas, turn)),
      atRate(1_000 / bookEveryMs, passing, async (turn) => {
        const wish = wished[turn]
        assert(wish)
        return book(stage, replicaOf(replicas, turn).address, wish)
      })
    ])

    const windows = await calendlyWindows(stage)
    for (const { calls } of windows) assert(calls <= ours, `${calls} calls in one window of Calendly’s`)
    assert(windows.length > 1, 'a window ended on the way')
    assert(
      windows.some(({ calls }) => calls >= forAvailability),
      'the quota was asked for'
    )
    assert.deepEqual(await refusals(stage), [], 'Calendly refused nothing')
    for (const { status, text } of bookings) assert.equal(status, 201, text)
    await assertOneEach(stage, replicas[0], wished.slice(0, bookings.length))
    const refused = asks.filter(({ answer }) => answer.status !== 200)
    for (const one of refused) assertHonest(one, windows)
    assert(refused.length > 0, 'more was asked than could be had')
    return `${asks.length} asks, ${refused.length} refused, ${bookings.length} bookings, ${windows.map(({ calls }) => calls).join(' + ')} calls, ${replicas.length} replicas`
  }
}

/** Calendly's first window is to end on the way, however short that is. No clock runs so far ahead at once. */
async function comeLate(stage: Stage, replicas: Replicas): Promise<void> {
  for (const advance_seconds of [22, 22]) {
    await stage.control('POST', '/clock', { advance_seconds })
    await ask(stage, replicas, 0)
  }
}

type Asked = { answer: Answer; at: number }

async function ask(stage: Stage, replicas: Replicas, turn: number): Promise<Asked> {
  const eventType = [introCall, consultation, thirtyMinutes][turn % 3] ?? introCall
  const query = availabilityQuery({ ...someRange(eventType, 1, stage.random), isFresh: true })
  const answer = await stage.ask(`${replicaOf(replicas, turn).address}/api/v1/availability?${query}`)
  return { answer, at: Date.now() }
}

type Window = { startedAt: number; calls: number }

/** As Calendly counts: a minute from the first call on. On this machine’s clock, epoch milliseconds. */
async function calendlyWindows(stage: Stage): Promise<Window[]> {
  const { now } = await stage.control('POST', '/clock', { advance_seconds: 0 })
  const aheadMs = Date.parse(now) - Date.now()
  const windows: Window[] = []
  for (const { at } of await requestsSince(stage, 0)) {
    const window = windows.at(-1)
    if (window && at - aheadMs < window.startedAt + windowMs) window.calls++
    else windows.push({ startedAt: at - aheadMs, calls: 1 })
  }
  return windows
}

const refusals = async (stage: Stage) =>
  (await requestsSince(stage, 0)).filter(({ status }) => status === null || status >= 400)

/** A 503 that says when there is something to be had again: when a window of Calendly's ends. */
function assertHonest({ answer, at }: Asked, windows: readonly Window[]): void {
  assert.equal(answer.status, 503, answer.text)
  assert.equal(answer.body.code, 'calendly_unavailable')
  const waitMs = Number(answer.headers['retry-after']) * 1_000
  const endings = windows
    .filter(({ startedAt }) => startedAt <= at + earlyMs)
    .map(({ startedAt }) => startedAt + windowMs - at)
  assert(
    endings.some((endsInMs) => waitMs >= endsInMs - earlyMs && waitMs <= endsInMs + lateMs),
    `Retry-After says ${waitMs} ms, Calendly’s windows end in ${endings.map(Math.round).join(', ')} ms`
  )
}
