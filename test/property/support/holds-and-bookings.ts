import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Answer } from '../../support/service.ts'
import {
  assertAnswer,
  at,
  command,
  hasBooking,
  hasHold,
  index,
  iso,
  isToBeHad,
  mishap,
  type Time,
  time
} from './command.ts'
import { type Mishap, perform, type Scene, settled } from './deeds.ts'
import { activeHolds, isShared, type Model, type ModelBooking } from './model.ts'

export const hold = command('hold', time, async (model, scene, wanted) => {
  const expected = isToBeHad(model, wanted)
  const body = { event_type: scene.eventTypes[wanted.kind], start_time: iso(scene, wanted), ttl_seconds: 900 }
  const answer = await scene.world.ask('POST', '/api/v1/holds', { body })
  assertAnswer(answer, answer.status === 201, expected, ['slot_unavailable'])
  if (answer.status === 201) model.holds.push({ ...wanted, id: answer.body.id, status: 'active' })
})

export const release = command(
  'release',
  index,
  async (model, { world }, n) => {
    const chosen = at(model.holds, n)
    const { status, text } = await world.ask('DELETE', `/api/v1/holds/${chosen.id}`)
    assert.equal(status, chosen.status === 'used' ? 409 : 204, text)
    if (chosen.status === 'active') chosen.status = 'released'
  },
  hasHold
)

async function book(
  model: Model,
  scene: Scene,
  { wanted, mishap, holdId }: { wanted: Time; mishap: Mishap; holdId?: string }
): Promise<{ answer: Answer; booking?: ModelBooking }> {
  const key = `${scene.name}-${++model.count}`
  const email = `${key}@example.com`
  const answer = await perform(scene, {
    path: '/api/v1/bookings',
    key,
    body: {
      event_type: scene.eventTypes[wanted.kind],
      start_time: iso(scene, wanted),
      invitee: { name: 'Grace Example', email, timezone: 'Europe/Berlin' },
      ...(holdId !== undefined && { hold_id: holdId })
    },
    act: 'invitees',
    mishap
  })
  if (answer.status !== 201 && answer.status !== 202) return { answer }
  const { id, status } = await settled(scene, answer.body.id)
  if (status !== 'confirmed') return { answer }
  const booking = { ...wanted, id, email, isLive: true, isFact: false }
  model.bookings.push(booking)
  return { answer, booking }
}

export const bookNow = command('book', fc.record({ wanted: time, mishap }), async (model, scene, chosen) => {
  const expected = isToBeHad(model, chosen.wanted)
  const { answer, booking } = await book(model, scene, chosen)
  assertAnswer(answer, booking !== undefined, expected, ['slot_unavailable'])
})

const endedHold = { used: 'hold_used', lost: 'hold_lost', released: 'hold_expired', expired: 'hold_expired' }

export const useHold = command(
  'use hold',
  fc.record({ n: index, mishap }),
  async (model, scene, { n, mishap }) => {
    const chosen = at(model.holds, n)
    const { status, kind, slot, id: holdId } = chosen
    const { answer, booking } = await book(model, scene, { wanted: { kind, slot }, mishap, holdId })
    const code = status === 'active' ? '' : endedHold[status]
    assertAnswer(answer, booking !== undefined, status === 'active' ? 'yes' : 'no', [code])
    if (booking) chosen.status = 'used'
  },
  hasHold
)

export const cancel = command(
  'cancel',
  fc.record({ n: index, mishap }),
  async (model, scene, { n, mishap }) => {
    const chosen = at(model.bookings, n)
    const isRefused = chosen.isLive && isShared(model, chosen)
    const answer = await perform(scene, {
      path: `/api/v1/bookings/${chosen.id}/cancel`,
      key: `${scene.name}-${++model.count}`,
      body: { canceler_type: 'invitee', refund: 'none' },
      act: 'cancellation',
      mishap
    })
    const { status } = await settled(scene, chosen.id)
    assertAnswer(answer, status === 'canceled', isRefused ? 'no' : 'yes', ['group_event'])
    if (status === 'canceled') chosen.isLive = false
  },
  hasBooking
)

export const crash = command('crash', fc.array(index, { maxLength: 3 }), async (model, { world }, chosen) => {
  const active = activeHolds(model)
  const expired = active.length === 0 ? [] : [...new Set(chosen.map((n) => at(active, n)))]
  await world.crash(expired.map(({ id }) => id))
  for (const hold of expired) hold.status = 'expired'
})
