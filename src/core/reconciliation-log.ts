import type { BookingTables } from './booking-tables.ts'
import type { Reconciliation, ReconciliationTables } from './reconciliation.ts'
import {
  type Checked,
  type Difference,
  nothingChecked,
  withChecked,
  withDifferences
} from './reconciliation-report.ts'
import type { System } from './system.ts'

export type RunTables = BookingTables & ReconciliationTables
export type TransactRun<Tables = RunTables> = <T>(work: (tables: Tables) => Promise<T>) => Promise<T>

/** Another replica goes on with it: nothing more is written here. */
export class Superseded extends Error {
  override readonly name = 'Superseded'
}

type Deps<Tables> = { system: Pick<System, 'now'>; transact: TransactRun<Tables>; epoch: number }

/** What a run has found and how far it has come, written down by whoever holds the lease and nobody else. */
export function openRunLog<Tables extends ReconciliationTables = RunTables>(
  reconciliation: Reconciliation,
  { system, transact, epoch }: Deps<Tables>
) {
  const { kind } = reconciliation
  let known = reconciliation
  let checked = nothingChecked

  /** What `work` finds is in the report if, and only if, what it writes is there, too. */
  async function change(work: (tables: Tables) => Promise<readonly Difference[]>): Promise<number> {
    const { next, count } = await transact(async (tables) => {
      if (!(await tables.reconciliations.isHeld(epoch, kind))) throw new Superseded()
      const found = await work(tables)
      const next = found.length > 0 ? { ...known, report: withDifferences(known.report, found) } : known
      if (next !== known) await tables.reconciliations.update(next)
      return { next, count: found.length }
    })
    known = next
    return count
  }

  async function write(changes: Partial<Reconciliation>): Promise<void> {
    const next = { ...known, ...changes, report: withChecked(known.report, checked) }
    await transact(async ({ reconciliations }) => {
      if (!(await reconciliations.isHeld(epoch, kind))) throw new Superseded()
      await reconciliations.update(next)
    })
    known = next
    checked = nothingChecked
  }

  return {
    change,
    report: async (difference: Difference) => void (await change(async () => [difference])),
    /** Told with the next place. */
    count(what: keyof Checked, many = 1): void {
      checked = { ...checked, [what]: checked[what] + many }
    },
    /** A recovery point: whoever goes on begins with what starts, or was made, then. */
    reach: (from: number) => write({ place: { from, at: system.now() } }),
    finish: (status: 'succeeded' | 'failed', failure?: string) =>
      write({ status, failure, place: undefined, finishedAt: system.now() })
  }
}

export type RunLog = ReturnType<typeof openRunLog<RunTables>>
