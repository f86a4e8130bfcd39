import type { AuditTables } from './audit.ts'
import type { CalendlyKey } from './calendly-key.ts'
import type { NewsTables } from './events.ts'

/** `sealedToken` is there for keys that came through the API and are not revoked. */
export type KeptKey = CalendlyKey & { sealedToken?: Buffer | undefined }

/** Said once for each `occasion` of a kind, whoever notices it first. */
export type KeyNotice = {
  tenantId: string
  name: string
  fingerprint: string
  kind: string
  occasion: string
  detail: Readonly<Record<string, unknown>>
  at: number
}

export type Uses = ReadonlyMap<string, { count: number; lastUsedAt: number }>

export type CalendlyKeyRows = {
  /** The tenant's keys by priority. */
  list: (tenantId: string) => Promise<KeptKey[]>
  /** The same; nobody else changes, adds or removes one until the transaction ends. */
  lock: (tenantId: string) => Promise<KeptKey[]>
  /** In place of whatever has its name. */
  put: (key: KeptKey) => Promise<void>
  remove: (tenantId: string, name: string) => Promise<void>
  /** Adds calls to the keys with these fingerprints. */
  addUses: (tenantId: string, uses: Uses) => Promise<void>
  /** True once per interval, by the database's clock; false for a key that is not kept. */
  claimProbe: (key: KeyId, intervalMs: number) => Promise<boolean>
  /** Puts another seal on the token, unless it has changed meanwhile. */
  reseal: (key: KeyId, from: Buffer, to: Buffer) => Promise<void>
  /** Those of the notices that nobody has given before. */
  note: (notices: readonly KeyNotice[]) => Promise<KeyNotice[]>
}

export type KeyId = Pick<CalendlyKey, 'tenantId' | 'name' | 'fingerprint'>

export type CalendlyKeyTables = AuditTables & NewsTables & { calendlyKeys: CalendlyKeyRows }

export type TransactKeys = <T>(work: (tables: CalendlyKeyTables) => Promise<T>) => Promise<T>

/** What the token of a key is sealed for, so that no seal opens under another name. */
export const sealPurpose = ({ tenantId, name }: Pick<CalendlyKey, 'tenantId' | 'name'>): string =>
  `calendly key\n${tenantId}\n${name}`
