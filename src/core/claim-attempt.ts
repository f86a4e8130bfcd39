import type { BookingTables, Transact } from './booking-tables.ts'
import type { Taken } from './claiming.ts'
import { AppError } from './errors.ts'

/** A transaction that ends with a claim, rolled back as a whole where the time could not be had. */
export async function attemptClaim(
  transact: Transact,
  work: (tables: BookingTables) => Promise<Taken>
): Promise<Taken> {
  let refused: Taken | undefined
  try {
    return await transact(async (tables) => {
      refused = undefined
      const taken = await work(tables)
      if (taken.kind === 'taken') return taken
      refused = taken
      throw new AppError('slot_unavailable')
    })
  } catch (error) {
    if (refused) return refused
    throw error
  }
}
