import type { Transact } from '../../src/core/booking-tables.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { type EngineKind, openReplicas, type Test } from './database.ts'

/** Transactions over one database, in turns by two replicas where the engine has more than one. */
export async function openTables(t: Test, kind: EngineKind) {
  const engines = await openReplicas(t, kind)
  let turns = 0
  const transact: Transact = (work) => engines[++turns % 2 ? 0 : 1].transaction((tx) => work(tablesOf(tx)))
  return { db: engines[0].db, transact }
}
