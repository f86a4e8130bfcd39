import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { realSystem } from '../core/system.ts'
import { openSandbox } from '../sandbox/sandbox.ts'
import { standard } from '../sandbox/standard.ts'
import { loadSecrets } from '../secrets.ts'
import { coachingType, demoSeed } from './demo/seed.ts'
import { tellStory } from './demo/story.ts'

const isOnce = process.argv.includes('--once')
const write = (line: string) => console.log(line)

const dataDir = mkdtempSync(join(tmpdir(), 'calendly-gateway-demo-'))
const port = await freePort()
const address = `http://127.0.0.1:${port}`
const { DATABASE_URL } = process.env

write(
  `Starting a sandbox of Calendly and Stripe, and the service on ${DATABASE_URL ? 'your database' : 'an embedded database'} …`
)
const sandbox = await openSandbox({ seed: demoSeed })
const config = loadConfig({
  DATA_DIR: dataDir,
  DATABASE_URL,
  PUBLIC_URL: address,
  SUBSCRIPTION_CHECK_SECONDS: '1',
  CALENDLY_API_BASE_URL: sandbox.url,
  CALENDLY_API_TOKEN: sandbox.token,
  CALENDLY_WEBHOOK_SIGNING_KEY: sandbox.signingKey,
  STRIPE_API_BASE_URL: sandbox.url,
  STRIPE_SECRET_KEY: sandbox.stripeKeys.restricted,
  STRIPE_WEBHOOK_SECRET: 'whsec_sandbox'
})
const secrets = loadSecrets(config)
const app = await buildApp({ config, secrets })
await app.listen({ host: '127.0.0.1', port })

const { steps, failures, toCalendly, toStripe, ms, violations } = await tellStory({
  address,
  adminKey: secrets.adminKey,
  sandboxUrl: sandbox.url,
  eventTypes: { meeting: standard.eventTypes.thirtyMinutes, coaching: coachingType },
  write,
  now: realSystem.now,
  run: randomUUID().slice(0, 8)
})
write(
  `\n${steps - failures} of ${steps} steps held in ${(ms / 1000).toFixed(1)} s, with ${toCalendly} calls to Calendly and ` +
    `${toStripe} to Stripe (${violations} of them not as they document).`
)
const isGood = failures === 0 && violations === 0

if (isOnce) await end(isGood ? 0 : 1)
showAround()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void end(isGood ? 0 : 1))
}

async function end(code: number): Promise<never> {
  await app.close()
  await sandbox.close()
  rmSync(dataDir, { recursive: true, force: true })
  process.exit(code)
}

function showAround(): void {
  const [from, to] = [7, 14].map((days) =>
    new Date(realSystem.now() + days * 86_400_000).toISOString().slice(0, 10)
  )
  write(`
The service goes on running (Ctrl-C ends it):
  to read   ${address}/docs
  health    ${address}/api/health
  Calendly  ${sandbox.url}/__sandbox/state (the sandbox)
  Stripe    ${sandbox.url}/__sandbox/stripe/state (the same)

Try:
  export KEY=${secrets.adminKey}
  curl -s -H "Authorization: Bearer $KEY" "${address}/api/v1/availability?event_type=${standard.eventTypes.thirtyMinutes.split('/').at(-1)}&start_time=${from}T00:00:00Z&end_time=${to}T00:00:00Z&timezone=Europe/Berlin&locale=en"
  curl -s -H "Authorization: Bearer $KEY" "${address}/api/v1/bookings"
  curl -s -H "Authorization: Bearer $KEY" "${address}/api/v1/refunds"
  curl -s -H "Authorization: Bearer $KEY" "${address}/api/health/calendly"`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof found !== 'object' || !found) throw new Error('no port is free')
  return found.port
}
