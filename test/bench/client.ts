import { callsUnderLoad } from './client-calls.ts'
import { callsAtOnce } from './client-cold.ts'
import { processorTime } from './client-processor.ts'
import type { Benchmark } from './support/benchmark.ts'

/** How much the Calendly client spares Calendly, and the processor. */
export const client: Benchmark = async (options) => {
  await callsUnderLoad(options)
  await callsAtOnce(options)
  await processorTime(options)
}
