import fc from 'fast-check'
import t from 'tap'
import { createId } from '../../src/core/ids.ts'
import { realSystem } from '../../src/core/system.ts'

const idAt = (at: number) => createId('bkg', { now: () => at, id: realSystem.id })

t.test('an id is its kind and 26 lower-case characters that nobody mistakes', async (t) => {
  t.match(idAt(Date.UTC(2026, 11, 1)), /^bkg_[0-9a-hjkmnp-tv-z]{26}$/)
  t.match(createId('dlv', realSystem), /^dlv_/)
})

t.test('ids sort by the time they were made', async () => {
  const time = fc.integer({ min: 0, max: Date.UTC(2500, 0, 1) })
  fc.assert(fc.property(time, time, (a, b) => a === b || idAt(a) < idAt(b) === a < b))
})

t.test('ids of one moment differ', async (t) => {
  const ids = new Set(Array.from({ length: 1_000 }, () => idAt(0)))
  t.equal(ids.size, 1_000)
})
