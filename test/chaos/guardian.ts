import assert from 'node:assert/strict'
import { standard } from '../../src/sandbox/standard.ts'
import type { Answer } from '../support/service.ts'
import { allBookings } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { requestsSince, type Seen } from './support/requests.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const booked = 50
const canceled = 20
const rounds = { bounded: 2, full: 8 }
const checkSeconds = 3
/** Long enough for a crowded machine, and far less than until the next reconciliation of the schedule. */
const repairedWithinMs = 240_000

/**
 * Calendly disables the subscription while people book and cancel on its page. In every other round a replica dies
 * on the way back.
 */
export const guardian: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/subscription-guardian.ts',
      mechanism: 'let after = await make(place, isWanted)',
      without:
        'for (const { uri } of sight.hooks) await calendly.deleteSubscription(uri)\n    let after = await make(place, isWanted)'
    },
    {
      file: 'core/subscription-book.ts',
      mechanism: 'await requestReconciliation(',
      without: 'if (false) await requestReconciliation('
    }
  ],

  async run(stage, { isBounded }) {
    const replicas = await startReplicas(stage)
    const [service] = replicas
    await untilSubscribed(stage)
    await untilCompared(stage, service, 'start')
    const count = isBounded ? rounds.bounded : rounds.full
    for (let round = 0; round < count; round++) await runRound(stage, replicas, round % 2 === 1)
    return `${count * (booked + canceled)} facts missed and made up for, ${count} subscriptions replaced, ${replicas.length} replicas`
  }
}

type Replicas = readonly [Service, ...Service[]]

/** All of them behind one address, as behind a proxy. */
async function startReplicas(stage: Stage): Promise<Replicas> {
  const env = { SUBSCRIPTION_CHECK_SECONDS: String(checkSeconds) }
  const first = await stage.start({ webhooks: true, env })
  if (stage.engine === 'embedded') return [first]
  return [first, await stage.start({ env: { ...env, PUBLIC_URL: first.address } })]
}

async function runRound(stage: Stage, replicas: Replicas, isKilled: boolean): Promise<void> {
  const [service] = replicas
  const known = await people(stage, canceled)
  await untilWorkedOff(stage, service)
  await stage.control('DELETE', '/requests')
  await stage.control('POST', '/webhooks/disable')
  const missed = await people(stage, booked)
  for (const [turn, invitee] of known.entries()) {
    await stage.control('POST', '/cancel', { invitee, by: turn % 2 ? 'host' : 'invitee' })
  }
  if (isKilled) await killOnTheWay(stage, replicas)

  await stage.until(
    'a subscription is active again',
    () => hooks(stage),
    (found) => found.length === 1 && found[0]?.state === 'active'
  )
  assertNeverNone(await subscriptionRequests(stage), isKilled)
  await assertApplied(stage, service, { missed, known })
  await untilWorkedOff(stage, service)
}

/** That many people book on Calendly's page; their invitees. */
async function people(stage: Stage, count: number): Promise<string[]> {
  const before = new Set(await invitees(stage))
  await stage.control('POST', '/book-many', { event_type: standard.eventTypes.thirtyMinutes, count })
  return (await invitees(stage)).filter((uri) => !before.has(uri))
}

async function invitees(stage: Stage): Promise<string[]> {
  const { scheduled_events } = await stage.control('GET', '/state')
  return scheduled_events.flatMap((event: { invitees: { uri: string }[] }) =>
    event.invitees.map(({ uri }) => uri)
  )
}

const hooks = async (stage: Stage): Promise<{ state: string }[]> =>
  (await stage.control('GET', '/state')).webhook_subscriptions

const subscriptionRequests = async (stage: Stage): Promise<Seen[]> =>
  (await requestsSince(stage, 0)).filter(({ path }) => path.startsWith('/webhook_subscriptions'))

/** Whoever is at it dies once Calendly has made the new subscription, or a moment before or after. */
async function killOnTheWay(stage: Stage, replicas: Replicas): Promise<void> {
  await stage.until(
    'somebody has looked',
    () => subscriptionRequests(stage),
    (seen) => seen.length > 0
  )
  await stage.pause(40)
  await Promise.all(replicas.map(({ kill }) => kill()))
  await Promise.all(replicas.map(({ start }) => start()))
}

/** The journal of Calendly: at most two looks, and nothing removed before something was made. */
function assertNeverNone(seen: readonly Seen[], isKilled: boolean): void {
  const made = seen.findIndex(({ method, status }) => method === 'POST' && status === 201)
  const removed = seen.findIndex(({ method, status }) => method === 'DELETE' && status === 204)
  assert(made >= 0, 'a new one is made')
  assert(removed === -1 || made < removed, 'the new one is made before the old one goes')
  if (isKilled) return
  const looks = seen.slice(0, made).filter(({ method, at }, place, all) => {
    // A check looks into two scopes, one right after the other.
    const previous = all[place - 1]
    return method === 'GET' && (!previous || at - previous.at > (checkSeconds * 1_000) / 2)
  })
  assert(looks.length <= 2, `noticed within two checks, not ${looks.length}`)
}

async function assertApplied(
  stage: Stage,
  service: Service,
  { missed, known }: { missed: readonly string[]; known: readonly string[] }
): Promise<void> {
  const byInvitee = async () =>
    new Map((await allBookings(stage, service)).map((booking) => [booking.calendly.invitee, booking]))
  const found = await stage.until(
    'all that was missed is applied',
    byInvitee,
    (found) =>
      missed.every((uri) => found.get(uri)?.status === 'confirmed') &&
      known.every((uri) => found.get(uri)?.status === 'canceled'),
    repairedWithinMs
  )
  const timelineOf = async (uri: string): Promise<string[]> => {
    const { id } = found.get(uri)
    const { body } = await stage.ask(`${service.address}/api/v1/bookings/${id}/timeline`)
    return body.data.map(({ type }: { type: string }) => type)
  }
  for (const uri of missed) assert.deepEqual(await timelineOf(uri), ['recorded'], 'booked once')
  for (const uri of known) assert.deepEqual(await timelineOf(uri), ['recorded', 'canceled'], 'canceled once')
  const made = missed.filter((uri) => found.get(uri).source === 'reconciliation')
  assert(made.length > 0, 'some of it was told by nobody')
  await untilCompared(stage, service, 'gap')
}

/** Resolves when no comparison is under way and one of that trigger has come to its end. */
async function untilCompared(stage: Stage, { address }: Service, trigger: string): Promise<void> {
  type Comparison = { trigger: string; status: string }
  await stage.until(
    `a comparison of the trigger ${trigger} has ended`,
    () => stage.ask(`${address}/api/v1/reconciliations`),
    ({ body }: Answer) =>
      body.data.some((one: Comparison) => one.trigger === trigger && one.status === 'succeeded') &&
      body.data.every(({ status }: Comparison) => status === 'succeeded')
  )
}
