import type { LookChange } from './charge-look-results.ts'
import type { ChargeLooks, Look } from './charge-looks.ts'
import type { Payments, StripeRefundFact } from './payments.ts'
import type { Reconciliation, ReconciliationRun, ReconciliationTables } from './reconciliation.ts'
import { runToItsEnd } from './reconciliation-end.ts'
import { openRunLog, type TransactRun } from './reconciliation-log.ts'
import { createPatience, type Patience } from './reconciliation-patience.ts'
import type { Difference } from './reconciliation-report.ts'
import type { Refund } from './refund.ts'
import type { RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

const windowMs = 7 * 86_400_000

type Tables = RefundTables & ReconciliationTables
type Known = Pick<Refund, 'charge' | 'stripeRefund' | 'status'>
type Range = { from: number; to: number }

type Deps = {
  system: Pick<System, 'now' | 'sleep'>
  transact: TransactRun<Tables>
  reads: {
    /** Of those of these charges that we know, by charge. */
    refundsOf: (tenantId: string, charges: readonly string[]) => Promise<ReadonlyMap<string, Known[]>>
    /** Those of ours that Stripe should have made in the range. */
    madeBetween: (tenantId: string, range: Range) => Promise<Known[]>
    /** Charges with a refund under way, or in dispute, ascending by id. */
    underWay: (tenantId: string, after: string) => Promise<string[]>
  }
  payments: Pick<Payments, 'listRefundsBetween' | 'listDisputedBetween'>
  looks: Pick<ChargeLooks, 'look'>
  log: { error: (fields: object, phrase: string) => void }
}

/** Compares Stripe's refunds with ours, and looks at every charge where they differ, or that is disputed or under way. */
export function createStripeReconciliation(deps: Deps): ReconciliationRun {
  const { system, transact, reads, payments, looks, log: machineLog } = deps

  type Run = {
    of: Reconciliation
    patient: Patience
    log: ReturnType<typeof openRunLog<Tables>>
    /** Charges that need no second look. */
    done: Set<string>
  }

  return async function run(of, epoch, signal) {
    const log = openRunLog<Tables>(of, { system, transact, epoch })
    const patient = createPatience(system, signal, of.place?.at ?? of.startedAt ?? system.now(), 'stripe')
    await runToItsEnd(of.id, { signal, log, machineLog }, () => walk({ of, patient, log, done: new Set() }))
  }

  async function walk(run: Run): Promise<void> {
    const { of, log } = run
    const end = Math.min(of.to ?? Number.POSITIVE_INFINITY, of.startedAt ?? system.now())
    for (let from = of.place?.from ?? of.from ?? 0; from < end; from += windowMs) {
      const to = Math.min(from + windowMs, end)
      await compareWindow(run, { from, to })
      await log.reach(to)
    }
    let after = ''
    for (;;) {
      const charges = await reads.underWay(of.tenantId, after)
      for (const charge of charges) await lookAt(run, charge)
      const last = charges.at(-1)
      if (last === undefined) return
      after = last
    }
  }

  async function compareWindow(run: Run, range: Range): Promise<void> {
    const { tenantId } = run.of
    const listed = await run.patient(() => payments.listRefundsBetween(range.from, range.to))
    const disputed = await run.patient(() => payments.listDisputedBetween(range.from, range.to))
    run.log.count('calls', 2)
    run.log.count('refunds', listed.length)
    const byCharge = Map.groupBy(listed, ({ charge }) => charge)
    const known = await reads.refundsOf(tenantId, [...byCharge.keys(), ...disputed])
    for (const [charge, refunds] of known) {
      run.log.count('charges')
      const isAgreed = agree(byCharge.get(charge) ?? [], refunds) && !disputed.includes(charge)
      if (!isAgreed) await lookAt(run, charge)
    }
    for (const { charge, stripeRefund } of await reads.madeBetween(tenantId, range)) {
      const isListed = byCharge.get(charge)?.some(({ id }) => id === stripeRefund) ?? false
      if (!isListed) await lookAt(run, charge)
    }
  }

  /** What a look changes and what is reported of it are written together. */
  async function lookAt({ of, patient, log, done }: Run, charge: string): Promise<void> {
    if (done.has(charge)) return
    const write = async <T extends Look>(work: (tables: RefundTables) => Promise<T>) => {
      const found: T[] = []
      await log.change(async (tables) => {
        const look = await work(tellingOfItself(tables))
        found[0] = look
        return look.changes.map(differenceOf)
      })
      const [look] = found
      if (!look) throw new Error('a look has come to no end')
      return look
    }
    for (let tries = 1; ; tries++) {
      const { outcome } = await patient(() => looks.look(of.tenantId, charge, write))
      log.count('calls', 2)
      // Who has overtaken it was here a moment ago, and it is due by itself.
      if (outcome !== 'overtaken' || tries === 3) break
    }
    done.add(charge)
  }
}

/** So that who follows the events can tell what was found out from what is new. */
const tellingOfItself = ({ events, ...tables }: Tables): Tables => ({
  ...tables,
  events: { add: (news) => events.add({ ...news, source: 'reconciliation' }) }
})

const differenceOf = ({
  kind,
  bookingId,
  charge,
  stripeRefund,
  detail,
  repaired
}: LookChange): Difference => ({
  kind,
  bookingId,
  charge,
  stripeRefund,
  detail,
  repaired
})

/** Whether each that Stripe lists is ours, and as far as with us. */
function agree(listed: readonly StripeRefundFact[], known: readonly Known[]): boolean {
  return listed.every(({ id, status }) =>
    known.some((refund) => refund.stripeRefund === id && refund.status === status)
  )
}
