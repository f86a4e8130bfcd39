import type fc from 'fast-check'
import type { Command } from './command.ts'
import { bookNow, cancel, crash, hold, release, useHold } from './holds-and-bookings.ts'
import { move, moveOntoHold } from './moves.ts'
import { bookOnPage, cancelOnPage, moveOnPage } from './page.ts'

/** What may happen, about as often as is likely to be telling. */
export const commands: fc.Arbitrary<Command>[] = [
  ...[hold, hold, release, bookNow, bookNow, useHold, useHold, cancel],
  ...[move, move, moveOntoHold, bookOnPage, bookOnPage, cancelOnPage, moveOnPage, crash]
]
