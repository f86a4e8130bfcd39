import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { standard } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { book, bookForSure, type Wish } from './bookings.ts'
import { availabilityQuery, type Range, someRange } from './reads.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

/** A phrase of the upstream bodies that nobody may get to see. */
export const canary = 'upstream-canary-5f2c'

/** Something that can be wrong, for as long as it takes. */
export type Trouble = { begin: () => unknown; end: () => unknown }

/** Statuses that may be answered in a trouble, with the code where it is a problem. */
type Promised = { withinMs: number; statuses: Readonly<Record<number, string | undefined>> }

const toRead: Promised = { withinMs: 10_000, statuses: { 200: undefined, 503: 'calendly_unavailable' } }
const toBook: Promised = {
  withinMs: 15_000,
  statuses: { 201: undefined, 202: undefined, 429: 'booking_quota_exhausted', 503: 'calendly_unavailable' }
}
/** For a crowded machine. */
const slackMs = 2_000
const recoveredWithinMs = 20_000

// Nobody books with Noah here, so that what was answered of his times can be compared later.
const eventType = standard.eventTypes.introCall

/** Tokens, stacks, upstream words and addresses. */
const leaks = new RegExp(
  [...Object.values(standard.tokens), canary, '\\\\n +at ', 'node:', 'UND_ERR', 'ENOTFOUND', '127\\.0'].join(
    '|'
  )
)

/**
 * Callers at the same time while the trouble lasts: each is answered in time, rightly or with an honest problem, and
 * within 20 s of its end all is well. Needs a wish per caller and one more.
 */
export async function withstand(
  stage: Stage,
  service: Service,
  { name, trouble, wished }: { name: string; trouble: Trouble; wished: readonly Wish[] }
): Promise<void> {
  const [extra, ...during] = wished
  assert(extra)
  await trouble.begin()
  const { times, lists } = await callDuring(name, stage, service, during)
  await trouble.end()
  await recovers(name, stage, service, extra)

  await Promise.all(during.map((wish) => bookForSure(stage, service, wish)))
  for (const { answer, range } of times.filter(({ answer }) => answer.status === 200)) {
    const { body } = await readTimes(stage, service, { ...range, isFresh: true })
    assert.deepEqual(answer.body.days, body.days, `${name}: the times were right`)
  }
  for (const answer of lists.filter(({ status }) => status === 200)) {
    const { body } = await readList(stage, service)
    assert.deepEqual(answer.body.data, body.data, `${name}: the list was right`)
  }
}

/** For each wish somebody who reads times, somebody who lists and somebody who books, all at once. */
export async function callDuring(name: string, stage: Stage, service: Service, wished: readonly Wish[]) {
  const judge = judgeIn(name)
  const [times, lists] = await Promise.all([
    Promise.all(
      wished.map(async () => {
        const range = someRange(eventType, 5, stage.random)
        return { range, answer: await judge(toRead, readTimes(stage, service, range)) }
      })
    ),
    Promise.all(wished.map(() => judge(toRead, readList(stage, service)))),
    Promise.all(wished.map((wish) => judge(toBook, book(stage, service.address, wish))))
  ])
  stage.assertAlive()
  return { times, lists }
}

/** Within 20 s of the end of a trouble: a read from Calendly itself, a booking, and health. */
async function recovers(name: string, stage: Stage, service: Service, wish: Wish): Promise<void> {
  const endedAt = Date.now()
  const within = <T>(what: string, find: () => Promise<T>, isDone: (found: T) => boolean) =>
    stage.until(`after ${name}, ${what}`, find, isDone, endedAt + recoveredWithinMs - Date.now())
  const range = { ...someRange(eventType, 3, stage.random), isFresh: true }
  await within(
    'a fresh read succeeds',
    () => readTimes(stage, service, range),
    ({ status, body }) => status === 200 && body.stale === false
  )
  await within(
    'a booking succeeds',
    () => book(stage, service.address, wish),
    ({ status }) => status === 201
  )
  await within(
    'Calendly is ok',
    () => stage.ask(`${service.address}/api/health/calendly`),
    ({ body }) => body.status === 'ok'
  )
}

const readTimes = (stage: Stage, { address }: Service, range: Range) =>
  stage.ask(`${address}/api/v1/availability?${availabilityQuery(range)}`)

const readList = (stage: Stage, { address }: Service) => stage.ask(`${address}/api/v1/event-types`)

/** An answer in time, with a right status, and problems that say nothing of what is behind them. */
const judgeIn =
  (name: string) =>
  async ({ withinMs, statuses }: Promised, answering: Promise<Answer>): Promise<Answer> => {
    const answered = new AbortController()
    const late = sleep(withinMs + slackMs, undefined, { signal: answered.signal }).catch(() => undefined)
    const answer = await Promise.race([answering, late]).finally(() => answered.abort())
    assert(answer, `${name}: no answer within ${withinMs} ms`)
    const { status, headers, body, text } = answer
    assert(status in statuses, `${name}: ${status} ${text.slice(0, 500)}`)
    if (status >= 400) {
      assert.match(String(headers['content-type']), /^application\/problem\+json/, name)
      assert.equal(body.status, status, name)
      assert.equal(body.code, statuses[status], name)
    }
    assert.equal(leaks.exec(text)?.[0], undefined, `${name}: the answer leaks`)
    return answer
  }
