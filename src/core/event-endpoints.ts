import { randomBytes } from 'node:crypto'
import { actorOf } from './audit.ts'
import type { Caller } from './callers.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import { type EventEndpoint, secretOverlapMs, secretPurpose } from './event-endpoint.ts'
import type { EndpointReads, EndpointTables, TransactEndpoints } from './event-endpoint-tables.ts'
import type { Execution } from './idempotency.ts'
import { createId } from './ids.ts'
import type { NewsType } from './news-types.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

const mostEndpoints = 50
const mostSecrets = 10

export type EndpointRequest = {
  url: string
  types: readonly NewsType[]
  description?: string | null | undefined
}

/** What is not given stays as it is; a `description` of `null` is removed. */
export type EndpointChange = {
  url?: string | undefined
  types?: readonly NewsType[] | undefined
  description?: string | null | undefined
  disabled?: boolean | undefined
}

type Judged = { kind: 'open' | 'unresolved'; url: { href: string } } | { kind: 'refused'; reason: string }

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: TransactEndpoints
  reads: Pick<EndpointReads, 'find' | 'list'>
  vault: Pick<Vault, 'seal'>
  cursors: Cursors
  targets: { judge: (url: string) => Promise<Judged> }
}

/** Where other services want to hear of events. */
export function createEventEndpoints({ system, transact, reads, vault, cursors, targets }: Deps) {
  return {
    /** The secret is in the answer and nowhere else. */
    async create(caller: Caller, wanted: EndpointRequest, execution: Execution) {
      const at = system.now()
      const endpoint: EventEndpoint = {
        id: createId('ep', system),
        tenantId: caller.tenantId,
        url: await judgedUrl(wanted.url),
        types: [...new Set(wanted.types)],
        description: wanted.description ?? undefined,
        status: 'enabled',
        createdAt: at,
        updatedAt: at
      }
      const secret = newSecret()
      await transact(async (tables) => {
        // A run that was cut short made an endpoint whose secret nobody has seen.
        if (execution.subject !== undefined) await removeIn(tables, caller, execution.subject)
        const others = await tables.eventEndpoints.lockAndCount(caller.tenantId)
        if (others >= mostEndpoints) {
          throw new AppError('too_many_endpoints', `There are ${mostEndpoints} already: remove one first.`)
        }
        await tables.eventEndpoints.insert(endpoint)
        await tables.eventEndpoints.addSecret(endpoint, vault.seal(secret, secretPurpose(endpoint)))
        await audit(tables, caller, endpoint, 'created')
        await execution.begin(tables, endpoint.id)
      })
      return { ...endpoint, secret }
    },

    async get({ tenantId }: Caller, id: string): Promise<EventEndpoint> {
      const endpoint = await reads.find(tenantId, id)
      if (!endpoint) throw new AppError('not_found')
      return endpoint
    },

    /** Newest first. */
    async list({ tenantId }: Caller, { cursor, limit }: { cursor?: string | undefined; limit: number }) {
      const before = cursor === undefined ? undefined : cursors.decode('event_endpoints', cursor)
      const page = await reads.list(tenantId, { before, limit: limit + 1 })
      const endpoints = page.slice(0, limit)
      const last = page.length > limit ? endpoints.at(-1) : undefined
      return { endpoints, nextCursor: last ? cursors.encode('event_endpoints', last.id) : null }
    },

    async change(caller: Caller, id: string, change: EndpointChange): Promise<EventEndpoint> {
      const url = change.url === undefined ? undefined : await judgedUrl(change.url)
      return transact(async (tables) => {
        const before = await lockIn(tables, caller, id)
        if (Object.values(change).every((given) => given === undefined)) return before
        const after = changed(before, { ...change, url }, system.now())
        await tables.eventEndpoints.update(after)
        if (change.disabled) await tables.eventEndpoints.giveUp(after, 'endpoint disabled')
        await audit(tables, caller, after, 'changed')
        return after
      })
    },

    async remove(caller: Caller, id: string): Promise<void> {
      await transact(async (tables) => {
        if (!(await removeIn(tables, caller, id))) throw new AppError('not_found')
      })
    },

    /** The new secret is in the answer and nowhere else; those before sign for 24 hours more. */
    async rotateSecret(caller: Caller, id: string, execution: Execution) {
      const secret = newSecret()
      const endpoint = await transact(async (tables) => {
        const endpoint = await lockIn(tables, caller, id)
        const live = await tables.eventEndpoints.retireSecret(endpoint, secretOverlapMs)
        if (live >= mostSecrets) {
          throw new AppError('too_many_secrets', `${mostSecrets} sign; each ends 24 hours after the next.`)
        }
        await tables.eventEndpoints.addSecret(endpoint, vault.seal(secret, secretPurpose(endpoint)))
        const rotated = { ...endpoint, updatedAt: system.now() }
        await tables.eventEndpoints.update(rotated)
        await audit(tables, caller, rotated, 'secret_rotated')
        await execution.begin(tables, id)
        return rotated
      })
      return { ...endpoint, secret }
    }
  }

  /** As it is understood, so that what was judged is what is sent to. */
  async function judgedUrl(text: string): Promise<string> {
    const target = await targets.judge(text)
    // A name may be there before its address is; every attempt looks again.
    if (target.kind !== 'refused') return target.url.href
    const fault = { pointer: '#/url', detail: target.reason }
    throw new AppError('validation_failed', `url: ${target.reason}`, { faults: [fault] })
  }

  async function lockIn(tables: EndpointTables, { tenantId }: Caller, id: string): Promise<EventEndpoint> {
    const endpoint = await tables.eventEndpoints.lock(tenantId, id)
    if (!endpoint) throw new AppError('not_found')
    return endpoint
  }

  /** False when there is none. */
  async function removeIn(tables: EndpointTables, caller: Caller, id: string): Promise<boolean> {
    const endpoint = await tables.eventEndpoints.lock(caller.tenantId, id)
    if (!endpoint) return false
    await tables.eventEndpoints.remove(endpoint)
    await audit(tables, caller, endpoint, 'deleted')
    return true
  }

  // A path or query may hold a secret of the endpoint's owner.
  async function audit(tables: EndpointTables, caller: Caller, endpoint: EventEndpoint, what: string) {
    const { id, url, types, status } = endpoint
    await tables.audit.add({
      tenantId: caller.tenantId,
      at: system.now(),
      actor: actorOf(caller),
      action: `event_endpoint.${what}`,
      subject: id,
      detail: { origin: new URL(url).origin, types, status }
    })
  }
}

export type EventEndpoints = ReturnType<typeof createEventEndpoints>

/** 256 random bits, as Standard Webhooks writes them. */
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

function changed(before: EventEndpoint, change: EndpointChange, at: number): EventEndpoint {
  const { url = before.url, types = before.types, description = before.description } = change
  return {
    ...before,
    // A failure of the place before says nothing about this one.
    ...(url !== before.url && { failingSince: undefined }),
    ...standing(before, change.disabled),
    url,
    types: [...new Set(types)],
    description: description ?? undefined,
    updatedAt: at
  }
}

/** Whoever enables an endpoint again gives it a fresh start. */
function standing(before: EventEndpoint, disabled: boolean | undefined): Partial<EventEndpoint> {
  if (disabled === undefined || disabled === (before.status === 'disabled')) return {}
  if (disabled) return { status: 'disabled', disabledReason: 'requested' }
  return { status: 'enabled', disabledReason: undefined, failingSince: undefined }
}
