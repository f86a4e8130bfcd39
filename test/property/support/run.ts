import assert, { AssertionError } from 'node:assert/strict'
import fc from 'fast-check'
import { standard, standardSeed } from '../../../src/sandbox/standard.ts'
import { commands } from './commands.ts'
import { type Scene, until } from './deeds.ts'
import { type Kind, kinds, type Model, type Settings } from './model.ts'
import type { World } from './world.ts'

const dayMs = 86_400_000
const ids: Readonly<Record<Kind, string>> = { meeting: 'MODELMEETING2345', group: 'MODELGROUP234567' }

/** Ada's event types of the model beside the standard ones. */
export const modelSeed = {
  ...standardSeed,
  event_types: [
    ...standardSeed.event_types,
    ...Object.entries(ids).map(([kind, id]) => ({
      id,
      host: standard.users.ada.slice(standard.users.ada.lastIndexOf('/') + 1),
      name: `Model ${kind}`,
      slug: `model-${kind}`,
      kind: kind === 'group' ? ('group' as const) : ('solo' as const),
      invitee_limit: kinds[kind as Kind].seats,
      duration: kinds[kind as Kind].minutes,
      increment_minutes: 15
    }))
  ]
}

const settings = fc.record<Settings>({
  bufferBeforeMinutes: fc.constantFrom(0, 0, 15),
  bufferAfterMinutes: fc.constantFrom(0, 0, 15),
  maxPerDay: fc.constantFrom(null, null, 3)
})
const webhooks = fc.record({ duplicate: fc.boolean(), reorder: fc.boolean(), withhold: fc.boolean() })

/** `longest` in commands. With `withinMs` there are as many of the runs as fit. `path` is of a run that failed. */
export type Options = {
  seed: number
  runs: number
  longest: number
  withinMs?: number
  path?: string | undefined
}

/**
 * Random commands against the service and a model of it, each run on a day of its own. Rejects with the commands of
 * the first run in which they differ, and with what repeats it.
 */
export async function runModel(
  world: World,
  { seed, runs, longest, withinMs, path }: Options
): Promise<{ commands: number; runs: number }> {
  await until(
    'Calendly has our address',
    () => world.control('GET', '/state'),
    ({ webhook_subscriptions }) => webhook_subscriptions.length > 0
  )
  const days = (await firstStarts(world)).values()
  let count = 0
  const tally = { commands: 0 }
  const latest = withinMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + withinMs
  const property = fc.asyncProperty(
    settings,
    webhooks,
    fc.commands(commands, { maxCommands: longest, size: 'max' }),
    async (settings, webhooks, chosen) => {
      if (Date.now() > latest) return
      const { value: firstStart } = days.next()
      if (firstStart === undefined) throw new Error('no day is left')
      const model: Model = { settings, holds: [], bookings: [], count: 0 }
      const scene: Scene = { world, firstStart, name: `run-${++count}`, eventTypes, webhooks, tally, latest }
      await world.control('DELETE', '/faults')
      await world.control('POST', '/webhooks/mode', webhooks)
      await set(scene, settings)
      await fc.asyncModelRun(async () => ({ model, real: scene }), chosen)
    }
  )
  const found = await fc.check(property, {
    seed,
    numRuns: runs,
    endOnFailure: true,
    ...(path !== undefined && { path })
  })
  if (found.failed) {
    const message = `${fc.defaultReportMessage(found)}\n${found.errorInstance}`
    if (found.errorInstance instanceof AssertionError) throw new AssertionError({ message })
    throw new Error(message, { cause: found.errorInstance })
  }
  return { ...tally, runs: count }
}

const eventTypes: Readonly<Record<Kind, string>> = {
  meeting: `https://api.calendly.com/event_types/${ids.meeting}`,
  group: `https://api.calendly.com/event_types/${ids.group}`
}

/** Of each day on which Ada works, from the day after tomorrow on. */
async function firstStarts(world: World): Promise<number[]> {
  const from = Date.now() + 2 * dayMs
  const query = new URLSearchParams({
    event_type: eventTypes.group,
    start_time: new Date(from).toISOString(),
    end_time: new Date(from + 175 * dayMs).toISOString(),
    timezone: 'Europe/Berlin'
  })
  const { status, text, body } = await world.ask('GET', `/api/v1/availability?${query}`)
  assert.equal(status, 200, text)
  return body.days
    .slice(1)
    .map(({ slots }: { slots: { start_time: string }[] }) => Date.parse(slots[0]?.start_time ?? ''))
}

async function set({ world }: Scene, settings: Settings): Promise<void> {
  for (const id of Object.values(ids)) {
    const body = {
      buffer_before_minutes: settings.bufferBeforeMinutes,
      buffer_after_minutes: settings.bufferAfterMinutes,
      max_per_day: settings.maxPerDay
    }
    const { status, text } = await world.ask('PUT', `/api/v1/event-types/${id}/settings`, { body })
    assert.equal(status, 200, text)
  }
}
