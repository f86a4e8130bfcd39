import { openSandbox } from '../../../src/sandbox/sandbox.ts'
import { standardSeed } from '../../../src/sandbox/standard.ts'

/** Ada's, so short that there are thousands of times to book. */
const short = {
  id: 'FIVEMINUTES23456',
  host: 'ADAHOSTBERLIN234',
  name: 'Five minutes',
  slug: 'five-minutes',
  duration: 5,
  increment_minutes: 5
}

const seed = { ...standardSeed, event_types: [...standardSeed.event_types, short] }
const { url } = await openSandbox({ seed })
console.log(`Sandbox listening at ${url}`)
