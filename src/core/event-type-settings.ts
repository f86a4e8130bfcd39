import { type AuditTables, actorOf } from './audit.ts'
import type { BookingReads, BookingTables } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import type { EventTypes } from './event-types.ts'
import { isPolicy } from './refund-policies.ts'
import { defaultSettings, type EventTypeSettings } from './settings.ts'
import type { System } from './system.ts'

/** How long what another replica sets may stay unnoticed. */
const rememberedMs = 1_000

/** As Calendly has it, and what we add. */
export type ConfiguredEventType = EventType & { settings: EventTypeSettings }

type Deps = {
  system: Pick<System, 'now'>
  transact: <T>(
    work: (tables: Pick<BookingTables, 'settings' | 'policies'> & AuditTables) => Promise<T>
  ) => Promise<T>
  reads: Pick<BookingReads, 'allSettings'>
  eventTypes: EventTypes
}

type AllSettings = ReadonlyMap<string, EventTypeSettings>

export function createEventTypeSettings({ system, transact, reads, eventTypes }: Deps) {
  const remembered = new Map<string, { all: Promise<AllSettings>; at: number }>()

  /** Begun after whatever this process has set, and at most a second old. */
  function remember(tenantId: string): Promise<AllSettings> {
    const now = system.now()
    const known = remembered.get(tenantId)
    const ageMs = known ? now - known.at : rememberedMs
    if (known && ageMs >= 0 && ageMs < rememberedMs) return known.all
    const all = reads.allSettings(tenantId)
    remembered.set(tenantId, { all, at: now })
    all.catch(() => remembered.delete(tenantId))
    return all
  }

  return {
    async list(caller: Caller): Promise<ConfiguredEventType[]> {
      const [found, all] = await Promise.all([eventTypes.list(caller), reads.allSettings(caller.tenantId)])
      return found.map((eventType) => ({ ...eventType, settings: all.get(eventType.uri) ?? defaultSettings }))
    },

    /** Throws `event_type_not_found`. */
    async get({ tenantId }: Caller, id: string): Promise<ConfiguredEventType> {
      const [eventType, all] = await Promise.all([eventTypes.get(tenantId, id), reads.allSettings(tenantId)])
      return { ...eventType, settings: all.get(eventType.uri) ?? defaultSettings }
    },

    /** Replaces them all. Bookings and holds keep what they were made with. Throws `validation_failed`. */
    async put(caller: Caller, id: string, settings: EventTypeSettings): Promise<EventTypeSettings> {
      const { tenantId } = caller
      const { uri } = await eventTypes.get(tenantId, id)
      const at = system.now()
      await transact(async (tables) => {
        if (!(await isPolicy(tables, tenantId, settings.refundPolicy))) {
          const fault = { pointer: '#/refund_policy', detail: 'is the name of no refund policy' }
          throw new AppError('validation_failed', undefined, { faults: [fault] })
        }
        await tables.settings.put(tenantId, uri, settings, at)
        await tables.audit.add({
          tenantId,
          at,
          actor: actorOf(caller),
          action: 'event_type_settings.changed',
          subject: uri,
          detail: {
            buffer_before_minutes: settings.bufferBeforeMinutes,
            buffer_after_minutes: settings.bufferAfterMinutes,
            minimum_notice_minutes: settings.minimumNoticeMinutes,
            max_per_day: settings.maxPerDay ?? null,
            refund_policy: settings.refundPolicy
          }
        })
      }).finally(() => remembered.delete(tenantId))
      return settings
    },

    /** To choose times by; what decides reads them anew. */
    async find(tenantId: string, eventType: string): Promise<EventTypeSettings> {
      return (await remember(tenantId)).get(eventType) ?? defaultSettings
    }
  }
}

export type EventTypeSettingsService = ReturnType<typeof createEventTypeSettings>
