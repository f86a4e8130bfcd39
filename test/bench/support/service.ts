import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { EngineOptions } from '../../../src/database/engine.ts'
import { standardSeed } from '../../../src/sandbox/standard.ts'
import type { Test } from '../../support/database.ts'
import { environment } from '../../support/started.ts'
import { type Program, startProgram } from './program.ts'

export const dayMs = 86_400_000

export const fiveMinutes = 'https://api.calendly.com/event_types/FIVEMINUTES23456'

/** The sandbox as a process of its own. */
export function startSandbox(t: Test, directory: string): Promise<Program> {
  const script = join(import.meta.dirname, '../programs/sandbox.ts')
  return startProgram(t, { script, log: join(directory, `sandbox-${randomBytes(4).toString('hex')}.log`) })
}

type Options = { directory: string; sandbox: Program; database: EngineOptions }

/** The service as it comes, but for limits that are out of reach. */
export function startService(t: Test, { directory, sandbox, database }: Options): Promise<Program> {
  const { dataDir, url } = database
  const { signing_key: signingKey, tokens } = standardSeed
  const calendly = {
    url: `http://127.0.0.1:${sandbox.port}`,
    token: tokens[0]?.value ?? '',
    signingKey
  }
  return startProgram(t, {
    script: join(import.meta.dirname, '../../../src/server.ts'),
    log: join(directory, `service-${randomBytes(4).toString('hex')}.log`),
    env: environment(calendly, {
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      ...(url !== undefined && { DATABASE_URL: url }),
      RATE_LIMIT_PER_MINUTE: '1000000',
      RATE_LIMIT_PER_ADDRESS: '1000000',
      CALENDLY_BOOKING_LIMITS: 'none',
      SWEEP_INTERVAL_SECONDS: '10'
    })
  })
}
