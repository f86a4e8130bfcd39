import { sql } from 'kysely'
import type { ClaimRequest } from '../../src/core/booking-tables.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { type EngineKind, openTestEngine, type Test } from './database.ts'
import { minuteMs, tuesday } from './samples.ts'

export const minutes = (n: number) => tuesday + n * minuteMs

/** Claims of an empty database: ann's half hour, unless told otherwise. */
export async function openClaims(t: Test, kind: EngineKind) {
  const engine = await openTestEngine(t, kind)
  let owners = 0

  const wish = (changes: Partial<ClaimRequest> = {}): ClaimRequest => {
    const ownerId = changes.ownerId ?? `bkg_other_${++owners}`
    return {
      tenantId: 'default',
      ownerId,
      session: ownerId,
      hosts: ['ann'],
      mode: 'all',
      startTime: minutes(0),
      endTime: minutes(30),
      ...changes
    }
  }
  /** In a transaction that is given up when the claim fails, as booking does. */
  const take = (changes?: Partial<ClaimRequest>) =>
    engine
      .transaction(async (tx) => {
        const hosts = await tablesOf(tx).claims.take(wish(changes))
        if (!hosts) throw new Refused()
        return hosts
      })
      .catch((error) => {
        if (error instanceof Refused) return undefined
        throw error
      })
  const takeFree = (changes?: Partial<ClaimRequest>) =>
    engine.transaction((tx) => tablesOf(tx).claims.takeFree(wish(changes)))
  const release = (tenantId: string, ownerId: string, startTime?: number) =>
    engine.transaction((tx) => tablesOf(tx).claims.release(tenantId, ownerId, startTime))
  /** A hold of ann's half hour that ends `seconds` from the database's now. */
  const hold = (seconds: number) => take({ ownerId: 'hld_1', expiresInMs: seconds * 1000 })
  /** Who claims what, in minutes from the start. */
  const claimed = async (from = 0, to = 300, hosts = ['ann', 'bob', 'cid']) =>
    (await claimsBetween(engine.db, 'default', hosts, minutes(from), minutes(to)))
      .map((claim) => [
        claim.host,
        (claim.busyFrom - tuesday) / minuteMs,
        (claim.busyTo - tuesday) / minuteMs
      ])
      .sort()

  const clear = async () => {
    await sql`delete from claims`.execute(engine.db)
  }
  return { engine, clear, wish, take, takeFree, release, hold, claimed }
}

class Refused extends Error {}
