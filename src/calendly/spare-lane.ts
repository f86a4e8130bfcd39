import { QuotaError } from './errors.ts'
import type { Reads } from './reads.ts'

type Answers<T> = { get: (key: string, load: () => Promise<T>) => Promise<T> }
type Lanes = {
  reads: Reads
  /** For a booking, which finds quota where others find none. */
  bookingReads: Reads
}

/** Remembered answers, asked for in another lane where it is for a booking and theirs has no quota left. */
export function createSpareLane({ reads, bookingReads }: Lanes) {
  return function remembered<T extends object>(
    answers: Answers<T>,
    key: string,
    load: (reads: Reads) => Promise<T>,
    isToBook: boolean
  ): Promise<T> {
    const answer = answers.get(key, () => load(reads))
    if (!isToBook) return answer
    return answer.catch((error) => {
      if (error instanceof Error && error.cause instanceof QuotaError) return load(bookingReads)
      throw error
    })
  }
}

export type SpareLane = ReturnType<typeof createSpareLane>
