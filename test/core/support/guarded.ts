import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { WebhookSubscription } from '../../../src/core/calendly.ts'
import type { Execution, IdempotencyTables } from '../../../src/core/idempotency.ts'
import { essentialEvents, subscriptionLease } from '../../../src/core/subscription.ts'
import { createGuardian } from '../../../src/core/subscription-guardian.ts'
import { createVault } from '../../../src/core/vault.ts'
import { createWebhookSlots } from '../../../src/core/webhook-slots.ts'
import { readSubscriptionReports } from '../../../src/database/calendly-subscriptions.ts'
import type { Engine } from '../../../src/database/engine.ts'
import { createLeases } from '../../../src/database/leases.ts'
import { readSlots } from '../../../src/database/webhook-slots.ts'
import { tablesOf } from '../../../src/plugins/database.ts'
import { fakeSystem } from '../../support/system.ts'

export const callbackUrl = 'https://gateway.example/api/webhooks/calendly'

/** What stops a process between two of its steps. */
export class Crash extends Error {}

export type Wanted = {
  url: string
  events: readonly string[]
  optionalEvents: readonly (readonly string[])[]
  signingKey: string
}

/** A Calendly that has subscriptions and nothing else. */
function littleCalendly() {
  const hooks: WebhookSubscription[] = []
  const keys = new Map<string, string>()
  const calls: string[] = []
  const leastActive: number[] = []
  let made = 0

  function add(changes: Partial<WebhookSubscription> = {}): WebhookSubscription {
    const uri = `https://api.calendly.com/webhook_subscriptions/${++made}`
    const hook: WebhookSubscription = {
      uri,
      callbackUrl,
      state: 'active',
      scope: 'organization',
      events: [...essentialEvents],
      createdAt: made,
      ...changes
    }
    hooks.push(hook)
    return hook
  }

  return {
    hooks,
    keys,
    /** Methods in order. */
    calls,
    add,
    change: (changes: Partial<WebhookSubscription>) => {
      for (const [place, hook] of hooks.entries()) hooks[place] = { ...hook, ...changes }
    },
    active: () => hooks.filter(({ state }) => state === 'active'),
    /** How many were active after each call. */
    leastActive,

    client: {
      listSubscriptions: async (inEveryScope: boolean) => {
        calls.push('list')
        return hooks
          .filter(({ scope }) => inEveryScope || scope === 'organization')
          .map((hook) => ({ ...hook }))
      },
      createSubscription: async ({ url, events, optionalEvents, signingKey }: Wanted) => {
        calls.push('create')
        if (hooks.some((hook) => hook.callbackUrl === url)) return { kind: 'exists' as const }
        keys.set(url, signingKey)
        const all = [...events, ...optionalEvents.flat()]
        return { kind: 'created' as const, subscription: add({ callbackUrl: url, events: all }) }
      },
      deleteSubscription: async (uri: string) => {
        calls.push('delete')
        const place = hooks.findIndex((hook) => hook.uri === uri)
        if (place >= 0) hooks.splice(place, 1)
        leastActive.push(hooks.filter(({ state }) => state === 'active').length)
      }
    }
  }
}

type StepOf = <T>(name: string, take: () => Promise<T>) => Promise<T>

const tables = [
  'calendly_subscriptions',
  'webhook_slots',
  'events',
  'event_subjects',
  'reconciliations',
  'audit_log'
]

/**
 * A guardian over a database in which nothing has ever been. `setStep` may stop it before or after anything that
 * others can see.
 */
export async function guardOver({ db, transaction }: Pick<Engine, 'db' | 'transaction'>) {
  for (const table of tables) await sql`delete from ${sql.table(table)}`.execute(db)
  await sql`update leases set expires_at = '-infinity'`.execute(db)
  const system = fakeSystem()
  const calendly = littleCalendly()
  const encryptionKey = randomBytes(32)
  const vault = createVault(encryptionKey)
  const reads = readSubscriptionReports(db)
  const slotReads = readSlots(db)
  const log = { info: () => {}, warn: () => {} }
  const leases = createLeases(db)
  let step: StepOf = (_name, take) => take()
  const through =
    <A extends unknown[], R>(name: string, work: (...asked: A) => Promise<R>) =>
    (...asked: A) =>
      step(name, () => work(...asked))

  const slotsUnder = (vault: ReturnType<typeof createVault>) =>
    createWebhookSlots({ system, vault, log, slots: slotReads, environmentKeys: ['environment'] })
  const slots = slotsUnder(vault)
  const guardian = createGuardian({
    system,
    reads,
    callbackUrl,
    signingKey: 'environment',
    log,
    transact: (work) => step('write', () => transaction((tx) => work(tablesOf(tx, system)))),
    slots: { ...slots, ...slotReads },
    calendly: {
      listSubscriptions: through('list', calendly.client.listSubscriptions),
      createSubscription: through('create', calendly.client.createSubscription),
      deleteSubscription: through('delete', calendly.client.deleteSubscription)
    }
  })

  async function epoch(): Promise<number> {
    const taken = await leases.take(subscriptionLease, 'me', 30_000)
    if (taken === undefined) throw new Error('somebody else has the lease')
    return taken
  }

  return {
    ...{ db, system, calendly, slots, slotsUnder, encryptionKey, reads, slotReads, leases, epoch },
    setStep: (next: StepOf) => {
      step = next
    },
    check: async () => guardian.check(await epoch()),
    rotate: async (execution: Execution = keyless) =>
      guardian.rotate(await epoch(), { execution, actor: 'caller:ops' }),
    checkAt: (epoch: number) => guardian.check(epoch),
    report: () => reads.find('default'),

    /** Where each slot is in its life, in the order of their making. */
    slotStates: async () => {
      const rows = await db.selectFrom('webhook_slots').select('retire_at').orderBy('made').execute()
      return rows.map(({ retire_at }) => (retire_at === null ? 'live' : 'retiring'))
    },
    eventTypes: async () => {
      const rows = await db.selectFrom('events').select('type').orderBy('sequence').execute()
      return rows.map(({ type }) => type.replace('calendly_subscription.', ''))
    },
    gaps: async () => {
      const { rows } = await sql<{ from: number }>`
        select range_from as from from reconciliations where trigger = 'gap' order by created_at`.execute(db)
      return rows.map(({ from }) => from)
    },
    audit: async () => {
      const rows = await db.selectFrom('audit_log').select(['action', 'actor']).orderBy('id').execute()
      return rows.map(({ action, actor }) => `${action} by ${actor}`)
    }
  }
}

export type Guarded = Awaited<ReturnType<typeof guardOver>>

export const keyless: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }

/** A key whose recovery point is kept in memory. */
export function keyed(): Execution {
  const execution = {
    subject: undefined as string | undefined,
    begin: async (_tables: IdempotencyTables, subject: string) => {
      execution.subject = subject
    },
    forget: async () => {}
  }
  return execution
}
