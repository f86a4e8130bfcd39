import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Answer } from '../../support/service.ts'
import { type Act, mishaps, type Scene, untilApplied } from './deeds.ts'
import { inspect } from './inspect.ts'
import { type Kind, type Model, mayTake, pageOffers, startOf } from './model.ts'

export type Time = { kind: Kind; slot: number }
export type Command = fc.AsyncCommand<Model, Scene>

/** What somebody does: whether there is anything to do it with, how, and that all is well afterwards. */
export function command<T>(
  name: string,
  generated: fc.Arbitrary<T>,
  run: (model: Model, scene: Scene, chosen: T) => Promise<void>,
  isPossible: (model: Model, chosen: T) => boolean = () => true
): fc.Arbitrary<Command> {
  return generated.map((chosen) => ({
    check: (model) => isPossible(model, chosen),
    run: async (model, scene) => {
      if (Date.now() > scene.latest) return
      await run(model, scene, chosen)
      await untilApplied(scene)
      await inspect(model, scene)
      scene.tally.commands++
    },
    toString: () => `${name}(${JSON.stringify(chosen)})`
  }))
}

export const slot = fc.integer({ min: 0, max: 9 })
export const index = fc.nat({ max: 20 })
export const mishap = fc.oneof(
  { weight: 5, arbitrary: fc.constant('none' as const) },
  { weight: 4, arbitrary: fc.constantFrom(...mishaps) }
)
export const act = fc.constantFrom<Act[]>('invitees', 'cancellation')
/** Sessions are few, so that more want a seat than there are. */
const session = fc.constantFrom(0, 4, 8)
export const time: fc.Arbitrary<Time> = fc.oneof(
  fc.record({ kind: fc.constant('meeting' as const), slot }),
  fc.record({ kind: fc.constant('group' as const), slot: session })
)

export const at = <T>(list: readonly T[], n: number): T => {
  const found = list[n % list.length]
  if (found === undefined) throw new Error('there is none')
  return found
}
export const hasHold = ({ holds }: Model) => holds.length > 0
export const hasBooking = ({ bookings }: Model) => bookings.length > 0
export const live = ({ bookings }: Model) => bookings.filter(({ isLive }) => isLive)
export const iso = (scene: Scene, time: Time) => new Date(startOf(scene.firstStart, time)).toISOString()

/** Whether that time is to be had, here and at Calendly. */
export const isToBeHad = (model: Model, wanted: Time) =>
  pageOffers(model, wanted) ? mayTake(model, wanted) : 'no'

export function assertAnswer(
  answer: Answer,
  isDone: boolean,
  expected: 'yes' | 'no' | 'either',
  codes: string[]
): void {
  const told = `${answer.status} ${answer.text.slice(0, 700)}`
  assert.notEqual(expected, isDone ? 'no' : 'yes', `it was ${isDone ? 'not ' : ''}to be had: ${told}`)
  if (isDone) return
  assert.equal(answer.status, 409, told)
  assert(codes.includes(answer.body.code), told)
}
