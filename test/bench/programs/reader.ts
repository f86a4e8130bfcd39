import Calendly from 'node-calendly'
import { pino } from 'pino'
import { openCalendly } from '../../../src/calendly/client.ts'
import { createLocalQuota } from '../../../src/calendly/local-quota.ts'
import { realSystem } from '../../../src/core/system.ts'
import { loggerOptions } from '../../../src/logger.ts'
import { createTestBookingQuota, createTestKeys } from '../../support/keys.ts'

/** Reads who it is, again and again, and says how much processor time that took, in milliseconds. */
const [kind = '', url = '', warmUp, reads] = process.argv.slice(2)
const token = 'token-of-primary'
const inFlight = 16

const readers: Readonly<Record<string, () => () => Promise<unknown>>> = {
  gateway() {
    const calendly = openCalendly({
      baseUrl: url,
      keys: createTestKeys({ token }).source,
      quota: createLocalQuota(realSystem),
      bookingQuota: createTestBookingQuota(realSystem),
      quotaShare: 0.8,
      bookingLimits: [],
      userAgent: 'calendly-gateway/bench',
      system: realSystem,
      cacheTtlMs: 15_000,
      cacheMaxEntries: 5_000,
      cacheMaxBytes: 50_000_000,
      windowDays: 31,
      keyProbeMs: 900_000,
      announce: () => {},
      log: pino(loggerOptions('info'))
    })
    return calendly.ping
  },
  fetch: () => async () => {
    const answer = await fetch(`${url}/users/me`, { headers: { authorization: `Bearer ${token}` } })
    if (!answer.ok) throw new Error(String(answer.status))
    return answer.json()
  },
  'node-calendly'() {
    const calendly = new Calendly.default(token)
    const realFetch = globalThis.fetch
    globalThis.fetch = (input, init) =>
      realFetch(String(input).replace('https://api.calendly.com', url), init)
    return () => calendly.users.getCurrentUser()
  }
}

const read = readers[kind]?.()
if (!read) throw new Error(`No such client: ${kind}`)

async function readMore(count: number): Promise<void> {
  let left = count
  const readOn = async () => {
    while (left-- > 0) await read?.()
  }
  await Promise.all(Array.from({ length: inFlight }, readOn))
}

await readMore(Number(warmUp))
const before = process.cpuUsage()
await readMore(Number(reads))
const { user, system } = process.cpuUsage(before)
process.send?.((user + system) / 1_000, () => process.exit())
