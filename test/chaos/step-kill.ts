import assert from 'node:assert/strict'
import { assertNothingLeft } from './support/claims.ts'
import { type Commits, openCommits, type Point } from './support/commits.ts'
import type { Act, Deed } from './support/deeds.ts'
import { type Doings, openDoings } from './support/doing.ts'
import type { Experiment } from './support/experiment.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'

const settledWithinSeconds = 60
/** Of the points to die at, in a bounded run. */
const boundedShare = 1 / 3
/** Deeds that one death cuts short: each keeps one of the service's ten connections to the database. */
const atOnce = 6

type Killing = (stage: Stage, isBounded: boolean) => Promise<{ service: Service; doings: Doings }>

/**
 * The service dies at each step of everything that is done in steps, and whoever asked asks again with the same key:
 * on PostgreSQL before and after every commit, on the embedded engine before and after Calendly acts.
 */
export const stepKill: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [{ file: 'core/look-up.ts', mechanism: 'return found\n', without: 'return []\n' }],

  async run(stage, { isBounded }) {
    const killing = stage.databaseUrl === undefined ? killAtCalls : killAtCommits
    const { service, doings } = await killing(stage, isBounded)
    const restartedAt = Date.now()
    await doings.assertDone()
    const seconds = Math.ceil((Date.now() - restartedAt) / 1_000)
    assert(seconds <= settledWithinSeconds, `all was settled only ${seconds} s after the last restart`)
    await service.kill()
    await assertNothingLeft(stage)
    return `${doings.count()} deeds cut short, settled ${seconds} s after the last`
  }
}

/** How many commits a deed takes is found out by doing it once undisturbed. */
const killAtCommits: Killing = async (stage, isBounded) => {
  const commits = await openCommits(stage, stage.databaseUrl ?? '')
  const service = await stage.start({ env: { DATABASE_URL: commits.url } })
  const doings = await openDoings(stage, service)
  const found = await Promise.all(doings.names.map((name) => pointsOf(name, doings, commits)))
  const points = shuffle(found.flat(), stage.random)
  const chosen = points.slice(0, isBounded ? points.length * boundedShare : points.length)
  for (let from = 0; from < chosen.length; from += atOnce) {
    const batch = chosen.slice(from, from + atOnce)
    const deeds = await Promise.all(batch.map(({ name }) => doings.prepare(name)))
    await Promise.all(
      batch.map(async (point, i) => {
        const deed = deeds[i] as Deed
        const { struck } = commits.watch(deed.marker, point)
        const { answered } = doings.begin(deed)
        const isReached = await Promise.race([struck.then(() => true), answered.then(() => false)])
        assert(isReached, `${point.name} was to die ${point.when} its commit ${point.commit}`)
      })
    )
    await service.kill()
    commits.forget()
    await service.start()
  }
  return { service, doings }
}

async function pointsOf(
  name: string,
  doings: Doings,
  commits: Commits
): Promise<(Point & { name: string })[]> {
  const deed = await doings.prepare(name)
  const watched = commits.watch(deed.marker)
  await doings.begin(deed).answered
  const counted = watched.commits()
  assert(counted > 0, `${name} is committed`)
  return Array.from({ length: counted }, (_, n) => n + 1).flatMap((commit) => [
    { name, commit, when: 'before' as const },
    { name, commit, when: 'after' as const }
  ])
}

function shuffle<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value)
}

/** What Calendly is asked for and does not answer any more, with whether it has acted by then. */
const silences: readonly { act: Act; processed: boolean }[] = [
  { act: '/invitees', processed: false },
  { act: '/invitees', processed: true },
  { act: '/cancellation', processed: false },
  { act: '/cancellation', processed: true }
]

const killAtCalls: Killing = async (stage) => {
  const service = await stage.start()
  const doings = await openDoings(stage, service)
  for (const { act, processed } of silences) {
    const asking = await Promise.all(doings.namesOf(act).map(doings.prepare))
    await stage.control('POST', '/faults', {
      kind: 'hang',
      processed,
      match: { method: 'POST', path: `*${act}` }
    })
    for (const deed of asking) doings.begin(deed)
    await stage.until(
      `Calendly is silent to each ${act}`,
      () => doings.unanswered(asking, act),
      (count) => count === asking.length
    )
    await service.kill()
    await doings.mend()
    await service.start()
  }
  return { service, doings }
}
