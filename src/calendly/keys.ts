/** A key that is not revoked, with its token. */
export type LiveKey = {
  name: string
  token: string
  /** SHA-256 of the token in hex: its identity. */
  fingerprint: string
  lastFour: string
  /** `pending` until Calendly has accepted it once. */
  state: 'pending' | 'active' | 'retiring'
  /** URIs of its owner and the owner's organization, once verified. */
  user?: string | undefined
  organization?: string | undefined
  /** As the source knows it. */
  isInvalid: boolean
}

/** Whose a key is, as URIs. */
export type Owner = { user: string; organization: string }

/** Calls made with a key. */
export type Use = { count: number; lastUsedAt: number }

/** Where the keys are kept, and told what Calendly thinks of them. */
export type KeySource = {
  /** In the order in which they are asked. */
  load: () => Promise<readonly LiveKey[]>
  /** Calendly accepted it for the first time, or again. False: it is another organization's and must never be used. */
  accepted: (key: LiveKey, owner: Owner) => Promise<boolean>
  /** `GET /users/me` answered 401 as well. */
  refused: (key: LiveKey) => Promise<void>
  /** Whether this replica may probe an invalid key now: over all replicas once per interval. */
  mayProbe: (key: LiveKey, intervalMs: number) => Promise<boolean>
  /** Calls made since last told, by fingerprint. */
  used: (calls: ReadonlyMap<string, Use>) => Promise<void>
}

/** What Calendly says of a token. */
export type Identity = ({ kind: 'accepted' } & Owner) | { kind: 'refused' }

/** What may be shown of a key: never the token. */
export type KeyReport = { name: string; lastFour: string; health: 'ok' | 'cooling' | 'invalid' }

/** Verified: limits are counted per user, so no key is used before its user is known. */
export type UsableKey = LiveKey & { user: string }

export const isUsable = (key: LiveKey): key is UsableKey => key.state !== 'pending' && key.user !== undefined
