import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createCursors } from '../../src/core/cursor.ts'

const cursors = createCursors(randomBytes(32))
const refused = { code: 'invalid_cursor' }

t.test('a cursor leads back to its place', async () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (place) => {
      return cursors.decode('bookings', cursors.encode('bookings', place)) === place
    })
  )
})

t.test('a cursor that was changed anywhere is refused', async (t) => {
  const cursor = cursors.encode('bookings', 'bkg_1')
  for (const [n, letter] of [...cursor].entries()) {
    const changed = cursor.slice(0, n) + (letter === 'A' ? 'B' : 'A') + cursor.slice(n + 1)
    t.throws(() => cursors.decode('bookings', changed), refused, changed)
  }
  for (const other of [
    `${cursor}A`,
    `${cursor}=`,
    ` ${cursor}`,
    cursor.slice(0, -1),
    cursor.slice(1),
    '',
    '!'
  ]) {
    t.throws(() => cursors.decode('bookings', other), refused, other)
  }
})

t.test('a cursor of another list or another service is refused', async (t) => {
  const cursor = cursors.encode('bookings', 'bkg_1')
  t.throws(() => cursors.decode('events', cursor), refused)
  t.throws(() => createCursors(randomBytes(32)).decode('bookings', cursor), refused)
})

t.test('a cursor outlives a change of the secret, and no longer', async (t) => {
  const [first, second] = [randomBytes(32), randomBytes(32)]
  const [before, during] = [createCursors(first), createCursors(second, first)]
  const old = before.encode('bookings', 'bkg_1')
  t.equal(during.decode('bookings', old), 'bkg_1')
  t.throws(() => during.decode('events', old), refused)
  const fresh = during.encode('bookings', 'bkg_1')
  t.equal(createCursors(second).decode('bookings', fresh), 'bkg_1')
  t.throws(() => createCursors(second).decode('bookings', old), refused)
})

t.test('whatever else is sent is refused', async () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        cursors.decode('bookings', text)
        return false
      } catch (error) {
        return (error as { code?: string }).code === 'invalid_cursor'
      }
    })
  )
})
