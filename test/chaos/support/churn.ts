import assert from 'node:assert/strict'
import { standard } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { book, freeTimes } from './bookings.ts'
import { hold } from './contests.ts'
import { type Replicas, replicaOf } from './service.ts'
import type { Stage } from './stage.ts'

const atOnce = 100
const callers = 5
/** So few that about every other is too late. */
const days = 10

/** Ada's too, of lengths and at starts that overlap each other's and the half hours. */
export const overlapping = [
  { id: 'THREEQUARTERS234', minutes: 45, every: 15 },
  { id: 'HOURANDAHALF2345', minutes: 90, every: 30 }
].map(({ id, minutes, every }) => ({
  id,
  host: standard.users.ada.split('/').at(-1),
  name: `${minutes} minutes`,
  slug: `${minutes}-minutes`,
  duration: minutes,
  increment_minutes: every
}))

type Slot = { eventType: string; startTime: string; from: number; to: number }

/** Holds, bookings with and without them, releases and cancellations of one host's time. Says how many of each were had. */
export async function churn(stage: Stage, replicas: Replicas, turns: number) {
  const slots = await openSlots(stage, replicas)
  const keys = await callerKeys(stage, replicas)
  const had = createLedger()
  const counts = { held: 0, booked: 0, 'booked with a hold': 0, lost: 0 }
  let turn = 0

  const pick = <T>(list: readonly T[]): T => {
    const picked = list[Math.floor(stage.random() * list.length)]
    if (picked === undefined) throw new Error('nothing to pick from')
    return picked
  }

  async function take(): Promise<void> {
    const n = turn++
    const { address } = replicaOf(replicas, n)
    const slot = pick(slots)
    const callerKey = pick(keys)
    const wish = { ...slot, callerKey, key: `turn-${n}`, email: `turn-${n}@example.com` }
    if (stage.random() < 0.5) {
      const answer = await book(stage, address, wish)
      if (isLost(answer)) return void counts.lost++
      counts.booked++
      return keepOrCancel(address, callerKey, answer.body.id, slot)
    }
    const answer = await hold(stage, address, { ...slot, callerKey })
    if (isLost(answer)) return void counts.lost++
    counts.held++
    const { id } = answer.body
    had.take(id, slot)
    if (stage.random() < 0.5) return release(address, callerKey, id)
    const booked = await book(stage, address, { ...wish, holdId: id })
    assert.equal(booked.status, 201, `whoever holds can book: ${booked.text}`)
    counts['booked with a hold']++
    had.give(id)
    return keepOrCancel(address, callerKey, booked.body.id, slot)
  }

  async function release(address: string, key: string, id: string): Promise<void> {
    had.give(id)
    const { status, text } = await stage.ask(`${address}/api/v1/holds/${id}`, { method: 'DELETE', key })
    assert.equal(status, 204, text)
  }

  /** Most give it up again, so that the others have something to fight for. */
  async function keepOrCancel(address: string, key: string, id: string, slot: Slot): Promise<void> {
    had.take(id, slot)
    if (stage.random() < 0.02) return
    had.give(id)
    const { status, text } = await stage.ask(`${address}/api/v1/bookings/${id}/cancel`, {
      method: 'POST',
      key,
      idempotencyKey: `cancel-${id}`,
      body: { canceler_type: 'host', refund: 'none' }
    })
    assert.equal(status, 200, text)
  }

  const workOn = async () => {
    while (turn < turns) await take()
  }
  await Promise.all(Array.from({ length: atOnce }, workOn))
  return counts
}

/** Who surely has what time: from the answer that said so until it is given up. */
function createLedger() {
  const taken = new Map<string, Slot>()
  return {
    take(owner: string, slot: Slot): void {
      for (const [other, { from, to }] of taken) {
        assert(to <= slot.from || slot.to <= from, `${owner} and ${other} both have ${slot.startTime}`)
      }
      taken.set(owner, slot)
    },
    give: (owner: string) => void taken.delete(owner)
  }
}

function isLost({ status, body, text }: Answer): boolean {
  if (status === 201) return false
  assert.equal(status, 409, text)
  assert.equal(body.code, 'slot_unavailable', text)
  assert(body.conflicts.length > 0, text)
  return true
}

/** Every start of the first days at which one of the event types is offered. */
async function openSlots(stage: Stage, [service]: Replicas): Promise<Slot[]> {
  const kinds = [
    { eventType: standard.eventTypes.thirtyMinutes, minutes: 30 },
    ...overlapping.map(({ id, duration }) => ({
      eventType: `https://api.calendly.com/event_types/${id}`,
      minutes: duration
    }))
  ]
  const found = kinds.map(async ({ eventType, minutes }) => {
    const startTimes = await freeTimes(stage, service, eventType)
    const dates = [...new Set(startTimes.map((startTime) => startTime.slice(0, 10)))].slice(0, days)
    return startTimes
      .filter((startTime) => dates.includes(startTime.slice(0, 10)))
      .map((startTime) => {
        const from = Date.parse(startTime)
        return { eventType, startTime, from, to: from + minutes * 60_000 }
      })
  })
  return (await Promise.all(found)).flat()
}

async function callerKeys(stage: Stage, [{ address }]: Replicas): Promise<string[]> {
  const create = async (_: unknown, n: number) => {
    const body = { name: `caller-${n}`, scopes: ['bookings:write'] }
    const answer = await stage.ask(`${address}/api/v1/caller-keys`, { method: 'POST', body })
    assert.equal(answer.status, 201, answer.text)
    return answer.body.key
  }
  return Promise.all(Array.from({ length: callers }, create))
}
