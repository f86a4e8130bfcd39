import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { ClaimRequest } from '../../src/core/booking-tables.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import type { Engine } from '../../src/database/engine.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { minuteMs, tuesday } from '../support/samples.ts'

const everybody = ['ann', 'bob', 'cid']
/** In minutes: short enough that most commands meet. */
const day = 12

type Taking = {
  do: 'take' | 'fact'
  hosts: string[]
  mode: 'all' | 'any'
  from: number
  length: number
  isGroup: boolean
  buffer: number
}
type Command = Taking | { do: 'release' | 'expire' | 'move'; which: number; hosts: string[] }
type Owner = { id: string; session: string; pool: string[]; cells: string[] }

const hosts = fc.shuffledSubarray(everybody, { minLength: 1 })
const commands = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constantFrom('take' as const, 'take' as const, 'fact' as const),
      hosts,
      mode: fc.constantFrom('all' as const, 'any' as const),
      from: fc.integer({ min: 2, max: day - 2 }),
      length: fc.integer({ min: 1, max: 4 }),
      isGroup: fc.boolean(),
      buffer: fc.integer({ min: 0, max: 2 })
    }),
    fc.record({
      do: fc.constantFrom('release' as const, 'expire' as const, 'move' as const),
      which: fc.nat(50),
      hosts
    })
  ),
  { minLength: 5, maxLength: 18 }
)

const cellsOf = (hosts: readonly string[], from: number, to: number) =>
  hosts.flatMap((host) => Array.from({ length: to - from }, (_, n) => `${host} ${from + n}`))

/** What claims are, minute by minute. */
function createModel() {
  let owners: Owner[] = []
  const isFree = (cells: readonly string[], session: string) =>
    !owners.some((owner) => owner.session !== session && owner.cells.some((cell) => cells.includes(cell)))

  return {
    owner: (which: number) => owners[which % Math.max(1, owners.length)],
    take(id: string, session: string, { hosts, mode, from, length, buffer }: Taking) {
      const cells = (some: readonly string[]) => cellsOf(some, from - buffer, from + length + buffer)
      const found = mode === 'all' ? [hosts] : hosts.map((host) => [host])
      const free = found.find((some) => isFree(cells(some), session))
      if (free) owners.push({ id, session, pool: mode === 'any' ? hosts : [], cells: cells(free) })
      return free
    },
    takeFree(id: string, session: string, { hosts, from, length, buffer }: Taking) {
      const wanted = cellsOf(hosts, from - buffer, from + length + buffer)
      const cells = wanted.filter((cell) => isFree([cell], session))
      owners.push({ id, session, pool: [], cells })
      return cells.length === wanted.length
    },
    drop(id: string) {
      owners = owners.filter((owner) => owner.id !== id)
    },
    move(id: string, away: readonly string[]) {
      const owner = owners.find((one) => one.id === id)
      const [host = ''] = owner?.cells[0]?.split(' ') ?? []
      if (!owner || owner.pool.length === 0 || !away.includes(host)) return true
      const to = (other: string) => owner.cells.map((cell) => cell.replace(host, other))
      const other = owner.pool.find((one) => !away.includes(one) && isFree(to(one), owner.session))
      if (other === undefined) this.drop(id)
      else owner.cells = to(other)
      return other !== undefined
    },
    claims: () => owners.flatMap(({ id, cells }) => cells.map((cell) => `${cell} ${id}`)).toSorted()
  }
}

for (const kind of engines) {
  t.test(`on ${kind} claims are taken and refused as a simple model says, and never overlap`, async (t) => {
    const engine = await openTestEngine(t, kind)
    await fc.assert(
      fc.asyncProperty(commands, async (commands) => {
        await sql`delete from claims`.execute(engine.db)
        const model = createModel()
        for (const [n, command] of commands.entries()) {
          const [real, modelled] = await perform(engine, model, command, `bkg_${n}`)
          deepEqual(real, modelled)
          deepEqual(await claimed(engine), model.claims())
          deepEqual(await overlaps(engine), 0)
        }
      }),
      { numRuns: 12 }
    )
  })
}

async function perform(
  engine: Engine,
  model: ReturnType<typeof createModel>,
  command: Command,
  id: string
): Promise<[unknown, unknown]> {
  const within = <T>(work: (claims: ReturnType<typeof tablesOf>['claims']) => Promise<T>) =>
    engine.transaction((tx) => work(tablesOf(tx).claims))
  if ('from' in command) {
    const session = command.isGroup ? `group@${command.from}` : id
    const claim = requestOf(id, session, command)
    if (command.do === 'fact')
      return [await within((claims) => claims.takeFree(claim)), model.takeFree(id, session, command)]
    const taken = await within(async (claims) => {
      const hosts = await claims.take(claim)
      if (!hosts) throw new Refused()
      return hosts
    }).catch((error) => {
      if (error instanceof Refused) return undefined
      throw error
    })
    return [taken?.toSorted(), model.take(id, session, command)?.toSorted()]
  }
  const owner = model.owner(command.which)
  if (!owner) return [0, 0]
  if (command.do === 'move') {
    const startTime = Number((await startOf(engine, owner.id)) ?? 0)
    const moved = await within((claims) =>
      claims.moveAway('default', { ownerId: owner.id, startTime }, command.hosts)
    )
    return [moved, model.move(owner.id, command.hosts)]
  }
  model.drop(owner.id)
  if (command.do === 'release') await within((claims) => claims.release('default', owner.id))
  else
    await sql`update claims set expires_at = now() - interval '1 second' where owner_id = ${owner.id}`.execute(
      engine.db
    )
  return [0, 0]
}

function requestOf(ownerId: string, session: string, command: Taking): ClaimRequest {
  const { hosts, mode, from, length, buffer } = command
  const startTime = tuesday + from * minuteMs
  const buffers = { beforeMs: buffer * minuteMs, afterMs: buffer * minuteMs }
  return {
    tenantId: 'default',
    ownerId,
    session,
    hosts,
    mode,
    startTime,
    endTime: startTime + length * minuteMs,
    buffers
  }
}

async function startOf({ db }: Engine, ownerId: string): Promise<number | undefined> {
  const claims = await claimsBetween(db, 'default', everybody, tuesday, tuesday + day * minuteMs)
  return claims.find((claim) => claim.ownerId === ownerId)?.startTime
}

async function claimed({ db }: Engine): Promise<string[]> {
  const claims = await claimsBetween(
    db,
    'default',
    everybody,
    tuesday - day * minuteMs,
    tuesday + 2 * day * minuteMs
  )
  return claims
    .flatMap(({ host, busyFrom, busyTo, ownerId }) => {
      const minute = (at: number) => (at - tuesday) / minuteMs
      return cellsOf([host], minute(busyFrom), minute(busyTo)).map((cell) => `${cell} ${ownerId}`)
    })
    .toSorted()
}

/** Pairs of live claims of different sessions on one host that touch. */
async function overlaps({ db }: Engine): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from claims a join claims b
      on a.tenant_id = b.tenant_id and a.host = b.host and a.busy && b.busy and a.session <> b.session and a.id < b.id
    where (a.expires_at is null or a.expires_at > now()) and (b.expires_at is null or b.expires_at > now())`.execute(
    db
  )
  return rows[0]?.n ?? 0
}

class Refused extends Error {}
