import { createMemo } from './memo.ts'
import type { System } from './system.ts'

const mostKept = 1_000

type Options = {
  system: Pick<System, 'now'>
  /** Grows with everything of ours that makes a finding untrue. */
  changes: () => number
  /** How long a finding lasts that only others can have made untrue. */
  lastsMs: number
}

/** Findings that are worked out once for all who ask at the time, and last for a moment while nothing changes. */
export function createRecent<T>({ system, changes, lastsMs }: Options) {
  type Finding = { found: Promise<T>; at: number; changes: number; isOpen: boolean }
  const findings = createMemo<Finding>(mostKept)

  const isGood = (finding: Finding) => {
    const ageMs = system.now() - finding.at
    return finding.isOpen || (finding.changes === changes() && ageMs >= 0 && ageMs < lastsMs)
  }

  return function recall(key: string, find: () => Promise<T>): Promise<T> {
    const known = findings.get(key)
    if (known && isGood(known)) return known.found
    const finding: Finding = { found: find(), at: system.now(), changes: changes(), isOpen: true }
    const close = (lasts: boolean) => {
      finding.isOpen = false
      if (!lasts) finding.at = Number.NEGATIVE_INFINITY
    }
    finding.found.then(
      () => close(true),
      () => close(false)
    )
    findings.set(key, finding, 1)
    return finding.found
  }
}
