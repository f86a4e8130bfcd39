import type { Entry, KeyRing } from './key-ring.ts'
import { type Identity, isUsable, type KeySource, type Owner } from './keys.ts'
import type { Log } from './log.ts'

/** `unknown`: Calendly, or the source of the keys, could not be asked. */
export type Verdict = 'fine' | 'refused' | 'unknown'

type Deps = {
  ring: KeyRing
  source: Pick<KeySource, 'accepted'>
  identify: (token: string) => Promise<Identity>
  /** Something new is known of a key, and the source has it. */
  onChange: () => void
  log: Log
}

/** Finds out by `GET /users/me` what a key is worth, once for everybody who wants to know. Never rejects. */
export function createKeyVerifier({ ring, source, identify, onChange, log }: Deps) {
  const underWay = new Map<Entry, Promise<Verdict>>()

  async function judge(entry: Entry): Promise<Verdict> {
    ring.use(entry.key)
    try {
      const identity = await identify(entry.key.token)
      return identity.kind === 'refused' ? refuse(entry) : await accept(entry, identity)
    } catch (error) {
      log.warn({ calendly_key: entry.key.name, err: error }, 'calendly key not verified')
      return 'unknown'
    }
  }

  function refuse(entry: Entry): Verdict {
    const { name, lastFour } = entry.key
    if (entry.health === 'invalid') return 'refused'
    ring.decide(entry, 'invalid')
    log.error({ calendly_key: name, last_four: lastFour }, 'calendly refused a key')
    ring.tellRefusal(entry).then(onChange, (error) => {
      log.warn({ calendly_key: name, err: error }, 'calendly key not yet noted as refused')
    })
    return 'refused'
  }

  async function accept(entry: Entry, { user, organization }: Owner): Promise<Verdict> {
    const { key, health } = entry
    if (health === 'suspect' && isUsable(key)) {
      ring.decide(entry, 'ok')
      return 'fine'
    }
    if (await source.accepted(key, { user, organization })) {
      const state = key.state === 'pending' ? 'active' : key.state
      entry.key = { ...key, state, user, organization, isInvalid: false }
      ring.decide(entry, 'ok')
      onChange()
      return 'fine'
    }
    if (health !== 'foreign' && health !== 'invalid') {
      const { name, lastFour } = key
      log.error({ calendly_key: name, last_four: lastFour }, 'calendly key belongs to another organization')
    }
    ring.decide(entry, 'foreign')
    return 'refused'
  }

  return function verify(entry: Entry): Promise<Verdict> {
    const known = underWay.get(entry)
    if (known) return known
    const verdict = judge(entry).finally(() => underWay.delete(entry))
    underWay.set(entry, verdict)
    return verdict
  }
}
