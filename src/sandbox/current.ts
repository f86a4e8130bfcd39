import type { Clock } from './clock.ts'
import type { World } from './world.ts'

/** What a reset replaces and everything else looks up anew. */
export type Current = { world: World; readonly clock: Clock }
