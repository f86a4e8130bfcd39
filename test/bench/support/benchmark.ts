export type Verdict = { title: string; isPassed: boolean; words: string }

export type Benchmark = (options: { isBounded: boolean; report: (verdict: Verdict) => void }) => Promise<void>

/** What a figure of several rounds is: the middle one, or the best where a noisy neighbour must not decide. */
export function figureOf(ratios: readonly number[], { isBounded }: { isBounded: boolean }): number {
  const ascending = ratios.toSorted((a, b) => a - b)
  return ascending[isBounded ? ascending.length - 1 : ascending.length >> 1] ?? 0
}

/** Runs the work with a place to leave what must be undone, and undoes it, last first. */
export async function withTeardown<T>(
  work: (t: { teardown: (undo: () => Promise<void> | void) => void }) => Promise<T>
): Promise<T> {
  const undos: (() => Promise<void> | void)[] = []
  try {
    return await work({ teardown: (undo) => undos.unshift(undo) })
  } finally {
    for (const undo of undos) await undo()
  }
}
