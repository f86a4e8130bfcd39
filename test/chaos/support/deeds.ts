import assert from 'node:assert/strict'
import type { Answer } from '../../support/service.ts'
import { book, bookForSure, insist, workshop } from './bookings.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

/** What somebody wants, under a key of their own, whose effect is to be had once. */
export type Deed = {
  /** Stands in everything that is written about it, and in the invitee's e-mail address. */
  marker: string
  send: () => Promise<Answer>
  /** The answer for good is one of these. */
  statuses: readonly number[]
  /** Where the answer is no booking. */
  bookingId?: string
  becomes: { status: 'confirmed' | 'canceled'; startTime: string }
}

/** At what Calendly is asked to do something, in the end of a path. */
export type Act = '/invitees' | '/cancellation'

type Scene = {
  stage: Stage
  service: Service
  marker: string
  from: string
  to: string
  /** Installs a fault of the sandbox that stays. */
  spoil: (fault: object) => Promise<void>
}

/** All that is done in steps. Preparing one does everything that it needs, but not the deed itself. */
export const deeds: Readonly<
  Record<string, { acts: readonly Act[]; prepare: (scene: Scene) => Promise<Deed> }>
> = {
  'a booking': { acts: ['/invitees'], prepare: async (scene) => booking(scene) },

  'a booking with a hold': {
    acts: ['/invitees'],
    prepare: async (scene) => booking(scene, await hold(scene, scene.from))
  },

  'a cancellation': {
    acts: ['/cancellation'],
    prepare: async (scene) => ({
      ...change(scene, await booked(scene), 'cancel', { canceler_type: 'invitee', refund: 'none' }),
      statuses: [200, 202],
      becomes: { status: 'canceled', startTime: scene.from }
    })
  },

  'a reschedule': { acts: ['/invitees', '/cancellation'], prepare: (scene) => reschedule(scene, {}) },

  'a reschedule with a hold': {
    acts: ['/invitees', '/cancellation'],
    prepare: async (scene) => reschedule(scene, { hold_id: await hold(scene, scene.to) })
  },

  'a reschedule that gives up the old time first': {
    acts: ['/invitees', '/cancellation'],
    prepare: (scene) => reschedule(scene, { cancel_first: true })
  },

  'a reschedule that is undone': {
    acts: ['/invitees', '/cancellation'],
    prepare: async (scene) => {
      const before = await booked(scene)
      const path = new URL(`${before.calendly.event}/cancellation`).pathname
      // Calendly lets go of everything but this one.
      await scene.spoil({ kind: 'status', status: 403, match: { method: 'POST', path } })
      return {
        ...change(scene, before, 'reschedule', { start_time: scene.to }),
        statuses: [409, 202],
        becomes: { status: 'confirmed', startTime: scene.from }
      }
    }
  }
}

export const emailOf = ({ marker }: Pick<Deed, 'marker'>) => `${marker}@example.com`

function booking(scene: Scene, holdId?: string): Deed {
  const { stage, service, marker, from } = scene
  const wish = {
    key: marker,
    email: emailOf(scene),
    startTime: from,
    ...(holdId !== undefined && { holdId })
  }
  return {
    marker,
    send: () => book(stage, service.address, wish),
    statuses: [201, 202],
    becomes: { status: 'confirmed', startTime: from }
  }
}

async function reschedule(scene: Scene, more: object): Promise<Deed> {
  return {
    ...change(scene, await booked(scene), 'reschedule', { start_time: scene.to, ...more }),
    statuses: [200, 202],
    becomes: { status: 'confirmed', startTime: scene.to }
  }
}

async function booked(scene: Scene): Promise<Answer['body']> {
  const wish = { key: `${scene.marker}-before`, email: emailOf(scene), startTime: scene.from }
  const before = await bookForSure(scene.stage, scene.service, wish)
  assert.equal(before.status, 'confirmed')
  return before
}

async function hold({ stage, service, marker }: Scene, startTime: string): Promise<string> {
  const body = { event_type: workshop, start_time: startTime, ttl_seconds: 900 }
  const answer = await insist(() =>
    stage.ask(`${service.address}/api/v1/holds`, { method: 'POST', idempotencyKey: `${marker}-hold`, body })
  )
  assert.equal(answer.status, 201, answer.text)
  return answer.body.id
}

function change({ stage, service, marker }: Scene, { id }: { id: string }, what: string, body: object) {
  const url = `${service.address}/api/v1/bookings/${id}/${what}`
  return {
    marker,
    bookingId: id,
    send: () => stage.ask(url, { method: 'POST' as const, idempotencyKey: marker, body })
  }
}
