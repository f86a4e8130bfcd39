import { type CalendlyKey, identityOf } from '../../src/core/calendly-key.ts'
import { createCalendlyKeySource } from '../../src/core/calendly-key-source.ts'
import { createCalendlyKeys as createManagement } from '../../src/core/calendly-keys.ts'
import type { System } from '../../src/core/system.ts'
import { createVault } from '../../src/core/vault.ts'
import { createCalendlyKeys as createRows } from '../../src/database/calendly-keys.ts'
import type { Engine } from '../../src/database/engine.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { tuesday } from './samples.ts'

export const owner = {
  user: 'https://api.calendly.com/users/ADA',
  organization: 'https://api.calendly.com/organizations/NORTHWIND'
}
export const elsewhere = {
  user: 'https://api.calendly.com/users/MEI',
  organization: 'https://api.calendly.com/organizations/TANAKA'
}

/** A key of the API, verified, with a token of its name. */
export const aKey = (changes: Partial<CalendlyKey> & { name: string }): CalendlyKey => ({
  tenantId: 'default',
  source: 'api',
  ...identityOf(`token-of-${changes.name}`),
  state: 'active',
  priority: 1,
  ...owner,
  usageCount: 0,
  createdAt: tuesday,
  ...changes
})

export type Line = { level: string; phrase: string; [field: string]: unknown }

type ReplicaOptions = {
  system: System
  environment?: Record<string, string>
  encryptionKey?: Buffer
  previousEncryptionKey?: Buffer
}

/** The keys of one replica on a database that others may share, with a Calendly that knows tokens by owner. */
export function openReplica({ db, transaction }: Engine, options: ReplicaOptions) {
  const { system, environment = {}, encryptionKey = Buffer.alloc(32, 1), previousEncryptionKey } = options
  const lines: Line[] = []
  const write = (level: string) => (fields: object, phrase: string) => {
    lines.push({ ...fields, level, phrase })
  }
  const log = { info: write('info'), warn: write('warn'), error: write('error') }
  const accepted = new Map<string, typeof owner>()
  const identified: string[] = []
  let syncs = 0
  const keys = createRows(db)
  const vault = createVault(encryptionKey, previousEncryptionKey)
  const transact = <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
    transaction((tx) => work(tablesOf(tx)))
  const tokens = Object.entries(environment).map(([name, token]) => ({ name, token }))
  const policy = { maxUsage: 1_000, maxAgeDays: 90 }
  const source = createCalendlyKeySource({ system, transact, keys, vault, environment: tokens, policy, log })
  const calendly = {
    identify: async (token: string) => {
      identified.push(token)
      const known = accepted.get(token)
      return known ? ({ kind: 'accepted', ...known } as const) : ({ kind: 'refused' } as const)
    },
    syncKeys: async () => {
      syncs++
    },
    quotas: async () => [{ user: owner.user, limit: 500, remaining: 480, resetAt: tuesday + 60_000 }]
  }
  const management = createManagement({ system, transact, keys, source, vault, calendly, policy, log })
  return {
    source,
    ...management,
    calendly,
    keys,
    transact,
    lines,
    accepted,
    identified,
    syncs: () => syncs,
    /** What Calendly would be asked with, in order. */
    tokens: async () => (await source.load()).map(({ name, token }) => `${name}: ${token}`)
  }
}
