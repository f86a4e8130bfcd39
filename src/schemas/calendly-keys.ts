import { z } from 'zod'
import type { ShownKey } from '../core/calendly-key-shown.ts'
import { formatInstant } from '../core/instants.ts'
import { instantOut, optionalInstant, textIn } from './common.ts'

export const calendlyKeyIn = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[A-Za-z0-9][\w.-]{0,63}$/,
        'must be 1 to 64 letters, digits, "_", "." or "-", a letter or digit first'
      )
      .meta({ examples: ['2027-spring'] }),
    token: z
      .string()
      .regex(/^[\x21-\x7e]{1,4096}$/, 'must be 1 to 4096 visible ASCII characters')
      .meta({ description: 'A personal access token. It is never shown again.', writeOnly: true })
  })
  .meta({ id: 'CalendlyKeyRequest' })

export const calendlyKeyName = z.strictObject({ name: textIn(64) })

export const calendlyKeyOut = z
  .object({
    name: z.string().meta({ description: '`primary` and `secondary` come from the environment' }),
    state: z.enum(['pending', 'active', 'expiring', 'retiring', 'revoked']).meta({
      description:
        '`pending`: not accepted by Calendly yet · `active` · `expiring`: active, and should be replaced · `retiring`: used last until `retires_at` · `revoked`: never used again'
    }),
    health: z.enum(['ok', 'cooling', 'invalid']).meta({
      description:
        '`cooling`: Calendly wants no calls of its owner for now · `invalid`: Calendly refuses it, it is another organization’s, or its token cannot be decrypted'
    }),
    priority: z.int().meta({ description: '1 is asked first' }),
    last_four: z.string(),
    created_at: instantOut,
    retires_at: instantOut.nullable().meta({ description: 'When a retiring key is revoked' }),
    age_days: z.int(),
    usage_count: z.int(),
    usage_limit: z.int(),
    last_used_at: instantOut.nullable(),
    quota: z
      .object({
        limit: z.int(),
        remaining: z.int().nullable(),
        reset_at: instantOut.nullable()
      })
      .nullable()
      .meta({ description: 'Of its Calendly user’s minute; null until known' })
  })
  .meta({ id: 'CalendlyKey' })

export const calendlyKeysOut = z.object({ data: z.array(calendlyKeyOut), next_cursor: z.null() })

export function presentCalendlyKey(key: ShownKey): z.input<typeof calendlyKeyOut> {
  const { name, state, health, priority, quota } = key
  return {
    name,
    state,
    health,
    priority,
    last_four: key.lastFour,
    created_at: formatInstant(key.createdAt),
    retires_at: optionalInstant(key.retireAt),
    age_days: key.ageDays,
    usage_count: key.usageCount,
    usage_limit: key.usageLimit,
    last_used_at: optionalInstant(key.lastUsedAt),
    quota: quota
      ? {
          limit: quota.limit,
          remaining: quota.remaining ?? null,
          reset_at: optionalInstant(quota.resetAt)
        }
      : null
  }
}
