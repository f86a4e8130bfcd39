import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openProxy } from '../support/proxy.ts'
import { assertOneEach, bookForSure, untilResolved, type Wish, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { callDuring, canary, type Trouble, withstand } from './support/withstand.ts'

const callers = { bounded: 2, full: 10 }
// Room for what a listing needs, but not for the times of half a year: most of them are read anew.
const smallCache = '20'
const html = `<html><body><h1>Bad gateway</h1>${canary}</body></html>`
const statuses = [500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 522, 524, 530, 599]
const title = { title: 'Internal Server Error', message: canary }

/** Calendly, the way to it and what stands beside it go wrong, one after the other, under concurrent callers. */
export const faults: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'calendly/key-walk.ts',
      mechanism: 'entries.some(works) ? probeMs : urgentMs',
      without: 'probeMs'
    }
  ],

  async run(stage, { isBounded }) {
    const redis = process.env.TEST_REDIS_URL && (await openProxy(stage, process.env.TEST_REDIS_URL))
    const elsewhere = await openElsewhere(stage)
    await withoutAName(stage)
    const service = await stage.start({
      env: { CALENDLY_CACHE_MAX_ENTRIES: smallCache, ...(redis && { REDIS_URL: redis.url }) }
    })
    const troubles: Record<string, Trouble> = {
      ...sandboxTroubles(stage, elsewhere.url, isBounded),
      'every key revoked': {
        begin: () => stage.control('POST', '/tokens/revoke', {}),
        end: () => stage.control('POST', '/tokens/restore', {})
      },
      ...(redis && { 'Redis gone': { begin: redis.cut, end: redis.mend } })
    }
    const wishesEach = (isBounded ? callers.bounded : callers.full) + 1
    const names = Object.keys(troubles)
    const wished = await wishes(stage, service, names.length * wishesEach)
    for (const [i, [name, trouble]] of Object.entries(troubles).entries()) {
      const some = wished.slice(i * wishesEach, (i + 1) * wishesEach)
      await withstand(stage, service, { name, trouble, wished: some })
    }
    assert.equal(elsewhere.visits(), 0, 'nobody followed a link to another host')
    await settle(stage, service, wished)
    return `${names.length} faults under ${3 * (wishesEach - 1)} callers: ${names.join(', ')}`
  }
}

/** Calendly's name does not resolve, from the start on: the service starts, and says so to everybody. */
async function withoutAName(stage: Stage): Promise<void> {
  const service = await stage.start({ env: { CALENDLY_API_BASE_URL: 'http://calendly.invalid' } })
  const startTime = new Date(Date.now() + 86_400_000).toISOString()
  const wished = [{ key: 'nowhere', email: 'nobody@example.com', startTime }]
  const name = 'a name that does not resolve'
  const { times } = await callDuring(name, stage, service, wished)
  assert(
    times.every(({ answer }) => answer.status === 503),
    name
  )
  const { body } = await stage.ask(`${service.address}/api/health/calendly`)
  assert.equal(body.status, 'down', name)
  await service.kill()
}

/** Every booking that was wished for is made once, whatever was in its way. */
export async function settle(stage: Stage, service: Service, wished: readonly Wish[]): Promise<void> {
  await Promise.all(wished.map((wish) => bookForSure(stage, service, wish)))
  await untilResolved(stage, service)
  await assertOneEach(stage, service, wished, { mayBeUnsent: true })
}

/** Faults of the sandbox as a trouble. */
export function sandboxTrouble(stage: Stage, ...installed: readonly object[]): Trouble {
  return {
    begin: async () => {
      for (const fault of installed) await stage.control('POST', '/faults', fault)
    },
    end: () => stage.control('DELETE', '/faults')
  }
}

/** Each takes its share of what the ones before it have left. */
const mixed = (faults: readonly object[]) =>
  faults.map((fault, i) => ({ ...fault, probability: 1 / (faults.length - i) }))

const failures = statuses.map((status) => ({ kind: 'status', status, body: title }))
const gateway = { kind: 'status', status: 502, body: html }

const spoiled = (bombBytes: number) => ({
  'HTML for an answer': { kind: 'status', status: 200, body: html },
  null: { kind: 'status', status: 200, body: null },
  'an answer cut off': { kind: 'truncate' },
  'an answer that is no JSON': { kind: 'malformed' },
  '10 MB': { kind: 'alter', size_bytes: 10_000_000 },
  'a gzip bomb': { kind: 'alter', size_bytes: bombBytes, gzip: true },
  'another content type': { kind: 'alter', headers: { 'content-type': 'image/png' } }
})

/** The bounded run has less time: what is alike comes mixed. */
function sandboxTroubles(stage: Stage, elsewhere: string, isBounded: boolean): Record<string, Trouble> {
  const trouble = (...installed: readonly object[]) => sandboxTrouble(stage, ...installed)
  const alike = isBounded
    ? {
        'every 5xx and HTML': trouble(...mixed([gateway, ...failures])),
        'spoiled answers': trouble(...mixed(Object.values(spoiled(2e7))))
      }
    : {
        'every 5xx': trouble(...mixed(failures)),
        'a gateway’s HTML': trouble(gateway),
        ...Object.fromEntries(Object.entries(spoiled(1e9)).map(([name, fault]) => [name, trouble(fault)]))
      }
  return {
    'a storm of 429': trouble({ kind: 'rate_limit', reset_seconds: 1 }),
    ...alike,
    'kept connections reset': trouble({ kind: 'reset_before', match: { reused: true } }),
    'the next page elsewhere': trouble({ kind: 'alter', patch: { pagination: { next_page: elsewhere } } })
  }
}

/** Another host, and how often somebody came by. */
async function openElsewhere(stage: Stage) {
  let visits = 0
  const server = createServer((_, response) => {
    visits++
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stage.teardown(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/event_types?page_token=x`, visits: () => visits }
}
