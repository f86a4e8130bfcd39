import { existsSync } from 'node:fs'
import { type App, buildApp } from './app.ts'
import { type Config, loadConfig, missingFeatures } from './config.ts'
import { stripeWarnings } from './core/stripe-key.ts'
import { realSystem } from './core/system.ts'
import { loggerOptions } from './logger.ts'
import { loadSecrets } from './secrets.ts'

/** How long requests in flight may take to finish once we have stopped listening. */
const finishMs = 20_000

async function start(): Promise<void> {
  const config = loadConfig(process.env)
  const { url, dataDir } = config.database
  if (url === undefined && !existsSync(dataDir)) {
    process.stderr.write(`Making an embedded database under ${dataDir}; this takes a few seconds, once.\n`)
  }
  const secrets = loadSecrets(config)
  const app = await buildApp({ config, secrets, logger: loggerOptions(config.logLevel) })
  stopOnSignal(app, config)
  await app.listen({ host: config.host, port: config.port })
  const hasCalendlyKey = app.calendly.health().keys.length > 0
  for (const feature of missingFeatures(config, { hasCalendlyKey })) app.log.warn(feature)
  for (const warning of stripeWarnings(config.stripe)) app.log.warn(warning)
  if (secrets.isAdminKeyOurs) {
    // For the terminal, not for the log: this one is meant to be copied.
    process.stderr.write(`Admin key (kept under ${config.database.dataDir}): ${secrets.adminKey}\n`)
  }
  if (hasCalendlyKey) await meetCalendly(app)
}

/** So that a wrong key shows in the log and in the health on the first day, not with the first customer. */
async function meetCalendly({ calendly, log }: App): Promise<void> {
  try {
    const { uri, organization } = await calendly.user()
    log.info({ user: uri, organization }, 'connected to Calendly')
  } catch (error) {
    log.warn({ err: error }, 'Calendly does not answer, or not to this key')
  }
}

/** Not ready first, so that nobody sends more; then closed, finishing what is in flight. A second signal does not wait. */
function stopOnSignal(app: App, { schedules }: Config): void {
  let isStopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1)
    isStopping = true
    app.log.info({ signal }, 'draining')
    app.services.health.drain()
    await app.leave()
    await realSystem.sleep(schedules.drainMs)
    const closed = close(app).then(() => 0)
    const code = await Promise.race([closed, realSystem.sleep(finishMs).then(() => 1)])
    app.log.info({ code }, code === 0 ? 'stopped' : 'stopped with requests in flight')
    process.exit(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop(signal).catch((error) => {
        app.log.error({ err: error }, 'stopped in disorder')
        process.exit(1)
      })
    })
  }
}

/** Waits for requests, not for connections on which nothing is asked. */
async function close(app: App): Promise<void> {
  const closed = app.close()
  await app.whenIdle()
  app.server.closeAllConnections()
  await closed
}

await start().catch((error: unknown) => {
  process.stderr.write(`${describe(error)}\n`)
  process.exit(1)
})

/** What failed and why, for a person, without a stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${describe(error.cause)}` : error.message
}
