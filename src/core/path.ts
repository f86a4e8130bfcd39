import type { Booking, Move, Place } from './booking.ts'
import type { InviteeFact } from './calendly.ts'

type Path = readonly Place[]
type Named = Pick<InviteeFact, 'uri' | 'oldInvitee' | 'newInvitee' | 'createdAt'>

/** Where a booking has been, oldest first: its present place alone until it moves. */
export function pathOf({
  path,
  calendly: { invitee },
  startTime
}: Pick<Booking, 'path' | 'calendly' | 'startTime'>): Path {
  if (!path) return [{ invitee, startTime }]
  return path.map((place) => (place.invitee === invitee ? { ...place, startTime } : place))
}

export function isOnPath(path: Path, uri: string | undefined): boolean {
  return uri !== undefined && path.some(({ invitee }) => invitee === uri)
}

/** Whether a neighbour has named it and nothing else is known of it. */
export function isOnlyNamed(path: Path, uri: string): boolean {
  return path.some(({ invitee, startTime }) => invitee === uri && startTime === undefined)
}

/** The path with what a fact tells of one of its places, and with the one that it was moved from. */
export function placed(path: Path, named: Named, startTime: number): Path {
  const { uri, oldInvitee, createdAt } = named
  const place = { invitee: uri, startTime, createdAt }
  const [first, ...rest] = path
  // It began here: the answer that would have named it was lost.
  if (first && first.invitee === undefined && oldInvitee === undefined) {
    return [place, ...rest.filter(({ invitee }) => invitee !== uri)]
  }
  const known = path.findIndex(({ invitee }) => invitee === uri)
  const at = known === -1 ? placeFor(path, named) : known
  const before = path.slice(0, at)
  const isNew = oldInvitee !== undefined && !isOnPath(path, oldInvitee)
  const after = path.slice(known === -1 ? at : at + 1)
  return [...before, ...(isNew ? [{ invitee: oldInvitee }] : []), place, ...after]
}

/** Beside its neighbours; where they are not known, by the time when Calendly made it. */
function placeFor(path: Path, { oldInvitee, newInvitee, createdAt }: Named): number {
  if (isOnPath(path, newInvitee)) return path.findIndex(({ invitee }) => invitee === newInvitee)
  if (isOnPath(path, oldInvitee)) return path.findIndex(({ invitee }) => invitee === oldInvitee) + 1
  let at = path.findIndex((place) => place.createdAt !== undefined && place.createdAt > createdAt)
  if (at === -1) return path.length
  // What is only named stands right before the one that named it.
  while (at > 0 && path[at - 1]?.startTime === undefined) at--
  return at
}

/** Which moves led along it. Known ones keep when they were learned of. */
export function movesAlong(path: Path, known: readonly Move[], at: number): readonly Move[] {
  const places = path.flatMap(({ invitee, startTime }) =>
    startTime === undefined ? [] : [{ invitee, startTime }]
  )
  const moves = places.flatMap(({ invitee, startTime: to }, index) => {
    const former = places[index - 1]
    if (!former) return []
    const move = known.find((one) => one.invitee === invitee) ?? { at, invitee }
    return [{ ...move, from: former.startTime, to }]
  })
  return [...known.filter(({ invitee }) => invitee === undefined), ...moves]
}

/** Another move along, of a booking that goes there. */
export function wentTo(
  booking: Booking,
  invitee: string | undefined,
  { startTime, ...move }: { startTime: number; at: number; requestedAt: number }
): Pick<Booking, 'path' | 'reschedules'> {
  const { reschedules } = booking
  const made = { ...move, from: booking.startTime, to: startTime, invitee }
  return { path: [...pathOf(booking), { invitee, startTime }], reschedules: [...reschedules, made] }
}

/** The same place under another invitee. */
export function rebookedAs({ path, calendly }: Booking, invitee: string): Pick<Booking, 'path'> {
  return path
    ? { path: path.map((place) => (place.invitee === calendly.invitee ? { ...place, invitee } : place)) }
    : {}
}

/** Where two pieces of one chain meet: `later` follows `joint`, a place of `earlier`. */
export function joinedPaths(earlier: Path, later: Path, joint: string): Path {
  const at = earlier.findIndex(({ invitee }) => invitee === joint) + 1 || earlier.length
  // Where a booking of ours began stays its beginning.
  const beginning = later.slice(0, later[0]?.invitee === undefined ? 1 : 0)
  return [...beginning, ...earlier.slice(0, at), ...later.slice(beginning.length), ...earlier.slice(at)]
}
