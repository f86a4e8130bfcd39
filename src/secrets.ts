import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'

export type Secrets = {
  adminKey: string
  encryptionKey: Buffer
  /** What was sealed before the key was changed. */
  previousEncryptionKey: Buffer | undefined
  /** Whether the admin key was made here, so that somebody has to be told. */
  isAdminKeyOurs: boolean
}

/** The two secrets the service cannot be without. Outside production they are made once and kept under `DATA_DIR`. */
export function loadSecrets(config: Config): Secrets {
  const { adminApiKey, encryptionKey, encryptionKeyPrevious, database } = config
  return {
    adminKey:
      adminApiKey ??
      kept(database.dataDir, 'admin.key', () => `cgw_${randomBytes(32).toString('base64url')}`),
    encryptionKey:
      encryptionKey ??
      Buffer.from(
        kept(database.dataDir, 'encryption.key', () => randomBytes(32).toString('base64')),
        'base64'
      ),
    previousEncryptionKey: encryptionKeyPrevious,
    isAdminKeyOurs: adminApiKey === undefined
  }
}

/** Made elsewhere and linked into place: two processes agree on one, and a crash leaves none that is half written. */
function kept(directory: string, name: string, make: () => string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, name)
  if (!existsSync(path)) {
    const draft = `${path}.${randomUUID()}`
    writeFileSync(draft, make(), { mode: 0o600, flush: true })
    try {
      linkSync(draft, path)
    } catch (error) {
      if (!existsSync(path)) throw error
    } finally {
      unlinkSync(draft)
    }
  }
  return readFileSync(path, 'utf8').trim()
}
