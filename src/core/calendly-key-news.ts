import type { KeyPolicy } from './calendly-key.ts'
import { show } from './calendly-key-shown.ts'
import type { CalendlyKeyTables, KeptKey, KeyNotice } from './calendly-key-tables.ts'
import type { NewsType } from './news-types.ts'

/** What other services are told of, by the kind of the notice; whatever else there is to say, it should be replaced. */
const news: Readonly<Record<string, NewsType>> = {
  invalid: 'calendly_key.invalid',
  rotated: 'calendly_key.rotated'
}

/** Gives notices of a key as it now is, and tells other services once of those that are new; which those are. */
export async function announce(
  { calendlyKeys, events }: Pick<CalendlyKeyTables, 'calendlyKeys' | 'events'>,
  key: KeptKey,
  policy: KeyPolicy,
  notices: readonly Pick<KeyNotice, 'kind' | 'occasion' | 'detail' | 'at'>[]
): Promise<KeyNotice[]> {
  const { tenantId, name, fingerprint } = key
  const given = await calendlyKeys.note(notices.map((notice) => ({ tenantId, name, fingerprint, ...notice })))
  const types = new Map(given.map(({ kind, at }) => [news[kind] ?? 'calendly_key.expiring', at] as const))
  for (const [type, at] of types) {
    const data = { key: show({ key, isReadable: true, quota: undefined, policy, now: at }) }
    await events.add({ tenantId, type, subject: `calendly_key:${name}`, at, data })
  }
  return given
}
