import { z } from 'zod'
import { formatInstant } from '../core/instants.ts'
import { type IntegrityReport, invariants, isWhole } from '../core/integrity.ts'
import { instantOut } from './common.ts'

export const integrityOut = z
  .object({
    ok: z.boolean().meta({ description: 'Whether no invariant is broken' }),
    checked_at: instantOut,
    invariants: z.array(z.object({ name: z.enum(invariants), violations: z.int() }))
  })
  .meta({ id: 'Integrity' })

export function presentIntegrity(report: IntegrityReport): z.input<typeof integrityOut> {
  return {
    ok: isWhole(report),
    checked_at: formatInstant(report.checkedAt),
    invariants: [...report.findings]
  }
}
