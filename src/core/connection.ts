import { AppError } from './errors.ts'

/** The tenant that Calendly is connected for. */
export const connectedTenant = 'default'

/** Throws `calendly_unavailable` for every other tenant. */
export function requireConnection(tenantId: string): void {
  if (tenantId !== connectedTenant) {
    throw new AppError('calendly_unavailable', 'No Calendly account is connected for this tenant.')
  }
}
