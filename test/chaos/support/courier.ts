import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { standard } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { signatureOf } from '../../support/webhook.ts'
import { type Replicas, replicaOf } from './service.ts'
import type { Stage } from './stage.ts'

const stepSeconds = 10
const steps = 10

type Told = { event: string; payload: { uri: string; old_invitee: string | null } }

/**
 * Takes what Calendly withholds to the intake, in the order of chance and up to 90 s apart by the sandbox's clock, which
 * goes `pace` times as fast as ours. What falls on one moment arrives at once, at all replicas. Says how many moves that
 * told of, and of how many the new time came before the old one's end.
 */
export async function bringApart(
  stage: Stage,
  replicas: Replicas,
  pace: number
): Promise<{ moves: number; backwards: number }> {
  const moments: string[][] = Array.from({ length: steps }, () => [])
  for (const body of await withheld(stage)) moments[Math.floor(stage.random() * steps)]?.push(body)
  for (const [n, bodies] of moments.entries()) {
    if (n > 0) await pass(stage, pace)
    await Promise.all(bodies.map((body, turn) => bring(replicaOf(replicas, turn).address, body)))
  }
  return countMoves(moments)
}

function countMoves(moments: readonly (readonly string[])[]): { moves: number; backwards: number } {
  const told = moments.flatMap((bodies, moment) =>
    bodies.map((body) => ({ moment, ...(JSON.parse(body) as Told) }))
  )
  const ended = new Map(told.filter(isCanceled).map(({ moment, payload }) => [payload.uri, moment]))
  const moves = told.filter((one) => !isCanceled(one) && one.payload.old_invitee !== null)
  const backwards = moves.filter(
    ({ moment, payload: { old_invitee: old } }) => moment < (ended.get(old ?? '') ?? moment)
  )
  return { moves: moves.length, backwards: backwards.length }
}

const isCanceled = ({ event }: Told) => event === 'invitee.canceled'

async function withheld(stage: Stage): Promise<string[]> {
  const { deliveries } = await stage.control('GET', '/deliveries')
  return deliveries
    .filter(({ state }: Answer['body']) => state === 'withheld')
    .map(({ body }: Answer['body']) => body)
}

async function pass(stage: Stage, pace: number): Promise<void> {
  const ownSeconds = stepSeconds / pace
  await sleep(ownSeconds * 1_000)
  await stage.control('POST', '/clock', { advance_seconds: stepSeconds - ownSeconds })
}

async function bring(address: string, body: string): Promise<void> {
  const answer = await request(`${address}/api/webhooks/calendly`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'calendly-webhook-signature': signatureOf(standard.signingKey, body)
    },
    body
  })
  await answer.body.dump()
  assert.equal(answer.statusCode, 204, 'a webhook is acknowledged')
}
