import { z } from 'zod'
import { type CallerKey, scopes } from '../core/callers.ts'
import { formatInstant } from '../core/instants.ts'
import { instantOut, textIn } from './common.ts'

export const callerKeyIn = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, "_", "." or "-"'),
  scopes: z.array(z.enum(scopes)).min(1).max(scopes.length)
})

export const callerKeyId = z.strictObject({ id: textIn(64) })

export const callerKeyOut = z
  .object({ id: z.string(), name: z.string(), scopes: z.array(z.string()), created_at: instantOut })
  .meta({ id: 'CallerKey' })

export const newCallerKeyOut = callerKeyOut
  .extend({ key: z.string().meta({ description: 'Shown once' }) })
  .meta({ id: 'NewCallerKey' })

export const callerKeysOut = z.object({ data: z.array(callerKeyOut), next_cursor: z.null() })

export function presentCallerKey({ id, name, scopes, createdAt }: CallerKey): z.input<typeof callerKeyOut> {
  return { id, name, scopes: [...scopes], created_at: formatInstant(createdAt) }
}
