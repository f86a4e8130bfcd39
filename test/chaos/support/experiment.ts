import type { EngineKind } from '../../support/database.ts'
import type { Sabotage } from './source.ts'
import type { Stage } from './stage.ts'

export type Experiment = {
  engines: readonly EngineKind[]
  /** What the experiment must notice the lack of. */
  sabotages: readonly Sabotage[]
  /** Says how much was tried; throws an AssertionError when a promise was broken. */
  run: (stage: Stage, scale: { isBounded: boolean }) => Promise<string>
}
