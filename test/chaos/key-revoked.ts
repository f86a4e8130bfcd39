import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { standard } from '../../src/sandbox/standard.ts'
import { assertOneEach, book, type Wish, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { atRate } from './support/load.ts'
import { availabilityQuery, someRange } from './support/reads.ts'
import { requestsSince } from './support/requests.ts'
import { type Replicas, replicaOf, type Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'

const readsPerSecond = 50
const bookingsPerSecond = 1
const mostBookings = 400
/** How long a replica may take to follow what another was told. */
const followedWithinMs = 5_000

/** Under load the primary key dies; then a new one takes over from the other. No request notices. */
export const keyRevoked: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    { file: 'calendly/call.ts', mechanism: 'if (answer.status === 401) {', without: 'if (false) {' }
  ],

  async run(stage, { isBounded }) {
    const eachMs = isBounded ? 10_000 : 60_000
    const replicas = await stage.startReplicas({
      env: { CALENDLY_API_TOKEN_SECONDARY: standard.tokens.adaSpare }
    })
    const [service] = replicas
    await untilKeysAre(stage, service, { primary: 'active', secondary: 'active' })
    const wished = await wishes(stage, service, mostBookings)

    const dying = await underLoad(stage, replicas, wished, async () => {
      await sleep(eachMs / 2)
      await revoke(stage, 'ada')
      await sleep(eachMs / 2)
    })
    await assertVerifiedOnce(stage, replicas)
    const rotating = await underLoad(stage, replicas, wished.slice(dying.booked), async () => {
      await rotate(stage, service)
      if (!isBounded) await sleep(eachMs / 2)
    })
    const booked = dying.booked + rotating.booked
    await assertOneEach(stage, service, wished.slice(0, booked))
    return `${dying.read} reads and a key revoked, ${rotating.read} and one rotated, ${booked} bookings, ${replicas.length} replicas`
  }
}

const revoke = (stage: Stage, token: string) => stage.control('POST', '/tokens/revoke', { token })

/** Asks and books at a steady rate while something happens; each is answered as on any day. Says how many. */
async function underLoad(
  stage: Stage,
  replicas: Replicas,
  wished: readonly Wish[],
  happen: () => Promise<void>
): Promise<{ read: number; booked: number }> {
  const happening = happen()
  const [reads, bookings] = await Promise.all([
    atRate(readsPerSecond, happening, (turn) => {
      const range = { ...someRange(standard.eventTypes.introCall, 3, stage.random), isFresh: true }
      return stage.ask(`${replicaOf(replicas, turn).address}/api/v1/availability?${availabilityQuery(range)}`)
    }),
    atRate(bookingsPerSecond, happening, async (turn) => {
      const wish = wished[turn]
      if (!wish) throw new Error('it took too long for so few wishes')
      return book(stage, replicaOf(replicas, turn).address, wish)
    }),
    happening
  ])
  for (const { status, body, text } of reads) {
    assert.equal(status, 200, text)
    assert.equal(body.stale, false, 'it is from Calendly itself')
  }
  for (const { status, text } of bookings) assert.equal(status, 201, text)
  return { read: reads.length, booked: bookings.length }
}

/** However many requests meet the dead key, each replica asks Calendly once whether it is dead. */
async function assertVerifiedOnce(stage: Stage, replicas: Replicas): Promise<void> {
  const seen = await requestsSince(stage, 0)
  const refused = seen.filter(({ token, status }) => token === 'ada' && status === 401)
  assert(refused.length > 0, 'requests met the dead key')
  const verifications = refused.filter(({ path }) => path === '/users/me')
  assert(
    verifications.length <= replicas.length,
    `${verifications.length} verifications of one key by ${replicas.length} replicas`
  )
}

/** A new key of another user is added, promoted, and the old one retired and deleted at Calendly. */
async function rotate(stage: Stage, service: Service): Promise<void> {
  const keys = `${service.address}/api/v1/calendly/keys`
  const post = async (path: string, body?: object) => {
    const { status, text } = await stage.ask(keys + path, { method: 'POST', body })
    assert(status < 300, `${path}: ${text}`)
  }
  await sleep(500)
  await post('', { name: 'next', token: standard.tokens.lena })
  await post('/next/promote')
  const promotedAt = Date.now()
  await post('/secondary/retire')
  await untilKeysAre(stage, service, { next: 'active', primary: 'retiring', secondary: 'retiring' })

  await sleep(Math.max(0, promotedAt + followedWithinMs - Date.now()))
  const followedAt = Date.now()
  await revoke(stage, 'ada-spare')
  await sleep(1_000)
  const late = (await requestsSince(stage, followedAt)).filter(({ path }) => path !== '/users/me')
  assert(late.length > 0)
  assert(
    late.every(({ token }) => token === 'lena'),
    'every replica has followed'
  )
}

async function untilKeysAre(
  stage: Stage,
  { address }: Service,
  expected: Record<string, string>
): Promise<void> {
  await stage.until(
    `keys are ${JSON.stringify(expected)}`,
    () => stage.ask(`${address}/api/v1/calendly/keys`),
    ({ body }) =>
      Object.entries(expected).every(([name, state]) =>
        body.data.some((key: { name: string; state: string }) => key.name === name && key.state === state)
      ),
    followedWithinMs * 2
  )
}
