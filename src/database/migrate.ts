import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CompiledQuery, type Kysely, sql, type Transaction } from 'kysely'
import type { Tables } from './tables.ts'

type Migration = { version: number; name: string; checksum: string; script: string }
type Applied = { version: number; name: string; checksum: string }

// Any number will do, as long as every replica takes the same.
const migrationLock = 4_702_111_234

/**
 * Brings the schema up to the directory's files, each in a transaction of its own, one process at a time.
 * Throws when the database has a migration that the directory lacks, or had another text of one.
 */
export async function migrate(db: Kysely<Tables>, directory: string): Promise<void> {
  const migrations = await readMigrations(directory)
  await exclusively(db, async (tx) => {
    await sql`
      create table if not exists schema_migrations (
        version integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now()
      )
    `.execute(tx)
    assertKnown(await readApplied(tx), migrations)
  })
  for (const migration of migrations) {
    await exclusively(db, (tx) => apply(tx, migration, migrations))
  }
}

/** Whether the directory's migrations have been applied. Newer ones do not hurt: replicas are replaced one by one. */
export async function isCurrent(db: Kysely<Tables>, directory: string): Promise<boolean> {
  const [migrations, applied] = [await readMigrations(directory), await readApplied(db)]
  const versions = new Set(applied.map(({ version }) => version))
  return migrations.every(({ version }) => versions.has(version))
}

async function apply(tx: Transaction<Tables>, migration: Migration, migrations: Migration[]): Promise<void> {
  const applied = await readApplied(tx)
  assertKnown(applied, migrations)
  const { version, name, checksum, script } = migration
  if (applied.some((one) => one.version === version)) return
  await tx.executeQuery(CompiledQuery.raw(script))
  await sql`
    insert into schema_migrations (version, name, checksum) values (${version}, ${name}, ${checksum})
  `.execute(tx)
}

function assertKnown(applied: Applied[], migrations: Migration[]): void {
  for (const { version, name, checksum } of applied) {
    const known = migrations.find((migration) => migration.version === version)
    if (!known) {
      throw new Error(
        `The database is newer than this program: it has migration ${name}, and the newest here is ` +
          `${migrations.at(-1)?.name ?? 'none'}. Start the newer version`
      )
    }
    if (known.checksum !== checksum) {
      throw new Error(
        `Migration ${name} has changed since it was applied. Restore the file and put the change into a new one`
      )
    }
  }
}

/** The lock goes with the transaction. */
async function exclusively(
  db: Kysely<Tables>,
  work: (tx: Transaction<Tables>) => Promise<void>
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(tx)
    await work(tx)
  })
}

async function readApplied(db: Kysely<Tables>): Promise<Applied[]> {
  const { rows } = await sql<Applied>`
    select version, name, checksum from schema_migrations order by version
  `.execute(db)
  return rows
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = await Promise.all(files.map((file) => readMigration(directory, file)))
  migrations.forEach(({ version, name }, i) => {
    if (version !== i + 1) throw new Error(`Migration ${name} should have the number ${i + 1}`)
  })
  return migrations
}

async function readMigration(directory: string, file: string): Promise<Migration> {
  const script = await readFile(join(directory, file), 'utf8')
  return {
    version: Number(file.slice(0, 4)),
    name: file.slice(0, -'.sql'.length),
    checksum: createHash('sha256').update(script).digest('hex'),
    script
  }
}
