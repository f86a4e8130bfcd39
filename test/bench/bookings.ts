import { bookingsAdded } from './bookings-added.ts'
import { bookingsStored } from './bookings-stored.ts'
import type { Benchmark } from './support/benchmark.ts'

/** What booking here costs on top of booking at Calendly, and whether it matters how much has been booked before. */
export const bookings: Benchmark = async (options) => {
  await bookingsAdded(options)
  await bookingsStored(options)
}
