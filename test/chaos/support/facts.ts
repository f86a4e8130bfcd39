import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { standard } from '../../../src/sandbox/standard.ts'
import { signatureOf, type WebhookOptions, webhookBody } from '../../support/webhook.ts'
import { type Replicas, replicaOf } from './service.ts'
import type { Stage } from './stage.ts'

const atOnce = 16
const halfHourMs = 1_800_000
const dayMs = 86_400_000

/** People who book and cancel, told of straight to the intake, as often as it takes until it is acknowledged. */
export function openFacts(stage: Stage, replicas: Replicas) {
  const agent = new Agent({ connections: atOnce })
  stage.teardown(() => agent.destroy())
  // Half hours that do not touch, so that nobody is in anybody's way.
  const firstStart = Math.ceil(Date.now() / dayMs) * dayMs + dayMs
  let turns = 0
  let people = 0

  async function tell(webhook: WebhookOptions): Promise<void> {
    const body = webhookBody(webhook)
    for (;;) {
      const { address } = replicaOf(replicas, turns++)
      const status = await post(`${address}/api/webhooks/calendly`, body).catch(() => undefined)
      if (status === 204) return
      stage.assertAlive()
      await sleep(20)
    }
  }

  async function post(url: string, body: string): Promise<number> {
    const answer = await request(url, {
      method: 'POST',
      dispatcher: agent,
      headers: {
        'content-type': 'application/json',
        'calendly-webhook-signature': signatureOf(standard.signingKey, body)
      },
      body
    })
    await answer.body.dump()
    return answer.statusCode
  }

  const told = (person: number, event: 'invitee.created' | 'invitee.canceled') =>
    tell({ id: `PERSON${person}`, event, startTime: firstStart + person * halfHourMs })

  return {
    /** This many people book. */
    async book(count: number): Promise<number[]> {
      const booked = Array.from({ length: count }, () => people++)
      await all(booked, (person) => told(person, 'invitee.created'))
      return booked
    },
    cancel: (booked: readonly number[]) => all(booked, (person) => told(person, 'invitee.canceled'))
  }
}

async function all(people: readonly number[], act: (person: number) => Promise<void>): Promise<void> {
  const left = [...people]
  const work = async () => {
    for (let person = left.shift(); person !== undefined; person = left.shift()) await act(person)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
