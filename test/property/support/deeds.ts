import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from '../../support/service.ts'
import type { Kind } from './model.ts'
import type { World } from './world.ts'

/** One run's part of the world: a day of its own. */
export type Scene = {
  world: World
  /** Calendly's URIs. */
  eventTypes: Readonly<Record<Kind, string>>
  firstStart: number
  /** Of this run, in keys and e-mail addresses. */
  name: string
  /** How webhooks come. Withheld, they come when everything has been found out without them. */
  webhooks: { duplicate: boolean; reorder: boolean; withhold: boolean }
  /** When the last command may begin. */
  latest: number
  /** Of all runs. */
  tally: { commands: number }
}

/** What happens while Calendly is asked to act. */
export const mishaps = ['none', 'answer lost', 'never heard', 'dies before', 'dies after'] as const
export type Mishap = (typeof mishaps)[number]

export type Act = 'invitees' | 'cancellation'
const paths: Readonly<Record<Act, string>> = {
  invitees: '/invitees',
  cancellation: '/scheduled_events/*/cancellation'
}
const faults: Readonly<Record<Exclude<Mishap, 'none'>, object>> = {
  'answer lost': { kind: 'drop_after' },
  'never heard': { kind: 'drop_before' },
  'dies before': { kind: 'hang' },
  'dies after': { kind: 'hang', processed: true }
}
/** How long anything may take; generous, since machines are shared. */
const patienceMs = 30_000

type Deed = { path: string; key: string; body: object; act: Act; mishap: Mishap }

/** Asks until it is answered for good, with the same key, whatever comes in between. */
export async function perform({ world }: Scene, { path, key, body, act, mishap }: Deed): Promise<Answer> {
  const send = () => world.ask('POST', path, { idempotencyKey: key, body })
  if (mishap === 'none') return insist(send)
  await world.control('DELETE', '/requests')
  const match = { method: 'POST', path: paths[act] }
  await world.control('POST', '/faults', { ...faults[mishap], match, times: 1 })
  let isAnswered = false
  const first = send()
    .catch(() => undefined)
    .finally(() => {
      isAnswered = true
    })
  if (mishap === 'dies before' || mishap === 'dies after') {
    const hangs = async () => {
      const { requests } = await world.control('GET', '/requests')
      return requests.some(({ fault }: { fault: string | null }) => fault === 'hang')
    }
    // What is refused before Calendly is asked cannot die there.
    await until('Calendly is asked', async () => isAnswered || (await hangs()), Boolean)
    if (await hangs()) await world.crash([])
  }
  const answer = await first
  await world.control('DELETE', '/faults')
  return answer !== undefined && isFinal(answer) ? answer : insist(send)
}

async function insist(send: () => Promise<Answer>): Promise<Answer> {
  const answer = await until('an answer for good', () => send().catch(() => undefined), isFinal)
  assert(answer)
  return answer
}

const isFinal = (answer: Answer | undefined) =>
  answer !== undefined && answer.status < 500 && answer.body?.code !== 'idempotency_in_progress'

/** The booking once nothing is under way any more, with all that Calendly had to say applied. */
export async function settled(scene: Scene, id: string): Promise<Answer['body']> {
  await untilSettled(scene, id)
  await untilApplied(scene)
  return untilSettled(scene, id)
}

const untilSettled = ({ world }: Scene, id: string): Promise<Answer['body']> =>
  until(
    `${id} is settled`,
    async () => (await world.ask('GET', `/api/v1/bookings/${id}`)).body,
    ({ status, change }) => !['pending', 'unknown'].includes(status) && change === null
  )

/** Resolves once every webhook has arrived and been applied. */
export async function untilApplied({ world, webhooks }: Scene): Promise<void> {
  if (webhooks.withhold) await world.control('POST', '/webhooks/release')
  await until(
    'every webhook has arrived',
    () => world.control('GET', '/deliveries'),
    ({ deliveries }) => deliveries.every(({ state }: { state: string }) => state === 'delivered')
  )
  await until(
    'the inbox is empty',
    async () => (await world.ask('GET', '/api/health')).body,
    ({ queues }) => queues.inbox.waiting === 0
  )
  if (webhooks.withhold) await world.control('POST', '/webhooks/mode', webhooks)
}

export async function until<T>(
  what: string,
  find: () => Promise<T>,
  isDone: (found: T) => boolean
): Promise<T> {
  const latest = Date.now() + patienceMs
  for (;;) {
    const found = await find()
    if (isDone(found)) return found
    assert(Date.now() < latest, `not so: ${what}; last: ${JSON.stringify(found)?.slice(0, 500)}`)
    await sleep(20)
  }
}
