import type { Test } from 'tap'
import { connectedTenant } from '../../src/core/connection.ts'
import { type IntegrityBounds, moneyInvariants } from '../../src/core/integrity.ts'
import type { Engine } from '../../src/database/engine.ts'
import { createIntegrityCounts } from '../../src/database/integrity.ts'
import { type Service, until } from './service.ts'

const minuteMs = 60_000

type Options = {
  /** Whether Stripe can be asked first, so that what it says counts, too. */
  look?: boolean
}

/** Asserts that every sum of money adds up, here and at Stripe. To be called when a test of refunds is done. */
export async function moneyHolds(t: Test, service: Service, { look = true }: Options = {}): Promise<void> {
  const { database } = service.app
  if (look) for (const charge of await chargesOf(service)) await lookAt(service, charge)
  await holds(t, (name, bounds) => database.countViolations(name, bounds), service.system.now())
}

/** The same of a database without a service. */
export async function moneyHoldsIn(
  t: Test,
  engine: Pick<Engine, 'transaction'>,
  { now = Date.now(), tenantId }: { now?: number; tenantId?: string } = {}
): Promise<void> {
  const count = createIntegrityCounts(engine)
  await holds(t, (name, bounds) => count(name, bounds, tenantId), now)
}

async function holds(t: Test, count: ReturnType<typeof createIntegrityCounts>, now: number): Promise<void> {
  const bounds: IntegrityBounds = {
    now,
    sweptWithinMs: minuteMs,
    settledWithinMs: 60 * minuteMs,
    checkedWithinMs: undefined,
    paysWithinMs: 5 * minuteMs,
    keptForMs: 90 * 24 * 60 * minuteMs
  }
  const broken: Record<string, number> = {}
  for (const name of moneyInvariants) {
    const violations = await count(name, bounds)
    if (violations > 0) broken[name] = violations
  }
  t.same(broken, {}, 'every sum of money adds up')
}

/** Of all refunds. */
async function chargesOf({ call }: Service): Promise<string[]> {
  const charges = new Set<string>()
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: { data: { charge: string }[]; next_cursor: string | null } = (
      await call('GET', `/api/v1/refunds?limit=200${cursor && `&cursor=${cursor}`}`)
    ).body
    for (const { charge } of page.data) charges.add(charge)
    cursor = page.next_cursor
  }
  return [...charges]
}

/** As Stripe's webhook would have it done. */
async function lookAt({ app: { database } }: Service, charge: string): Promise<void> {
  const before = await database.chargeLooks.seen(connectedTenant, charge)
  await database.refundReads.hint(connectedTenant, charge)
  await until(
    () => database.chargeLooks.seen(connectedTenant, charge),
    (seen) => seen === undefined || seen.lookedAt > (before?.lookedAt ?? 0)
  )
}
