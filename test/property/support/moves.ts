import fc from 'fast-check'
import {
  act,
  assertAnswer,
  at,
  command,
  hasBooking,
  index,
  iso,
  live,
  mishap,
  slot,
  type Time
} from './command.ts'
import { type Act, type Mishap, perform, type Scene, settled } from './deeds.ts'
import {
  activeHolds,
  isSameTime,
  isShared,
  type Model,
  type ModelBooking,
  mayTake,
  overlap,
  pageOffers,
  startOf
} from './model.ts'

async function reschedule(
  model: Model,
  scene: Scene,
  chosen: ModelBooking,
  to: { slot: number; cancelFirst?: boolean; holdId?: string; act: Act; mishap: Mishap }
): Promise<boolean> {
  const wanted = { kind: chosen.kind, slot: to.slot }
  const codes: string[] = []
  if (!chosen.isLive || isSameTime(chosen, wanted)) codes.push('not_reschedulable')
  if (isShared(model, chosen)) codes.push('group_event')
  if (overlap(chosen, wanted) && !to.cancelFirst) codes.push('overlaps_itself')
  const except = [chosen.id, ...(to.holdId === undefined ? [] : [to.holdId])]
  const may = pageOffers(model, wanted, chosen) ? mayTake(model, wanted, except) : 'no'
  if (may !== 'yes') codes.push('slot_unavailable')
  const { mishap, act, cancelFirst = false, holdId } = to
  const answer = await perform(scene, {
    path: `/api/v1/bookings/${chosen.id}/reschedule`,
    key: `${scene.name}-${++model.count}`,
    body: {
      start_time: iso(scene, wanted),
      cancel_first: cancelFirst,
      ...(holdId !== undefined && { hold_id: holdId })
    },
    act,
    mishap
  })
  const { start_time } = await settled(scene, chosen.id)
  const isMoved = !isSameTime(chosen, wanted) && Date.parse(start_time) === startOf(scene.firstStart, wanted)
  const isEither = codes.length === 1 && may === 'either'
  assertAnswer(answer, isMoved, codes.length === 0 ? 'yes' : isEither ? 'either' : 'no', codes)
  // What is ours by our own doing has all of its time again.
  if (isMoved) Object.assign(chosen, wanted, { isFact: false })
  return isMoved
}

export const move = command(
  'reschedule',
  fc.record({ n: index, slot, cancelFirst: fc.boolean(), act, mishap }),
  async (model, scene, { n, ...to }) => {
    await reschedule(model, scene, at(model.bookings, n), to)
  },
  hasBooking
)

export const moveOntoHold = command(
  'reschedule with a hold',
  fc.record({ n: index, cancelFirst: fc.boolean(), act, mishap }),
  async (model, scene, { n, ...to }) => {
    const chosen = at(usable(model), n)
    const booking = at(bookingsOf(model, chosen), n)
    const { slot, id: holdId } = chosen
    if (await reschedule(model, scene, booking, { ...to, slot, holdId })) chosen.status = 'used'
  },
  (model) => usable(model).length > 0
)

const bookingsOf = (model: Model, { kind }: Time) => live(model).filter((booking) => booking.kind === kind)
const usable = (model: Model) => activeHolds(model).filter((hold) => bookingsOf(model, hold).length > 0)
