import { secretPurpose } from './event-endpoint.ts'
import type { EndpointSecrets, KeptSecret } from './event-endpoint-tables.ts'
import type { Vault } from './vault.ts'

type Deps = {
  secrets: EndpointSecrets
  vault: Pick<Vault, 'reseal'>
  log: Record<'info', (fields: object, phrase: string) => void>
}

/** What happens to the secrets of event endpoints without being asked for. */
export function createEndpointUpkeep({ secrets, vault, log }: Deps) {
  /** Nothing for what does not open: whoever needs the secret says so. */
  function resealed({ tenantId, id, sealed }: KeptSecret): Buffer | undefined {
    try {
      return vault.reseal(sealed, secretPurpose({ tenantId, id }))
    } catch {
      return undefined
    }
  }

  return {
    /** Forgets secrets that sign no more and encrypts anew. Any replica, at any time. */
    async maintain(): Promise<void> {
      await secrets.removeExpired()
      for (const kept of await secrets.list()) {
        const fresh = resealed(kept)
        if (!fresh) continue
        await secrets.reseal(kept.secretId, kept.sealed, fresh)
        log.info({ event_endpoint: kept.id }, 'the secret of an event endpoint is encrypted anew')
      }
    }
  }
}
