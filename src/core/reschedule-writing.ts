import type { Booking } from './booking.ts'
import type { Transact } from './booking-tables.ts'
import { lockBooking } from './recording.ts'
import type { Writer } from './reschedule-ends.ts'
import { isStillAt, type Rescheduling } from './rescheduling.ts'
import { insist } from './submission.ts'
import type { System } from './system.ts'

type Deps = { system: System; transact: Transact }

/**
 * Writes down what a step has led to, unless somebody has gone on with it meanwhile: then what they have written
 * stands. The booking as it is afterwards.
 */
export function createStepWriting({ system, transact }: Deps) {
  return function write(
    asked: Rescheduling,
    work: (writer: Writer, booking: Rescheduling) => Promise<Booking>
  ): Promise<Booking> {
    return insist(system, () =>
      transact(async (tables) => {
        const booking = await lockBooking(tables, asked)
        if (!isStillAt(booking, asked.change)) return booking
        return work({ tables, now: system.now(), isActor: true }, booking)
      })
    )
  }
}
