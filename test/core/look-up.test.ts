import t from 'tap'
import { createLookUp } from '../../src/core/look-up.ts'
import { minuteMs, tuesday } from '../support/samples.ts'

const schedule = { lookupsMs: [1_000, 5_000], absenceMs: 15_000, attentionMs: 5_000 }
const lookUp = createLookUp({
  calendly: { listEvents: async () => [], listInvitees: async () => [] },
  schedule
})

t.test('nobody is asked before somebody has looked, however long that took', async (t) => {
  const since = tuesday - minuteMs
  const begun = { since, lookups: 0, posts: 1 }
  t.notOk(lookUp.isOverdue(begun, tuesday))
  for (const isReadable of [true, false]) {
    const { kind, resolution } = lookUp.judge(begun, isReadable, tuesday + minuteMs, tuesday)
    t.equal(kind, 'wait', `the first look, ${isReadable ? 'which found nothing' : 'which failed'}`)
    t.ok(lookUp.isOverdue(resolution, tuesday))
    t.equal(lookUp.judge(resolution, false, tuesday + minuteMs, tuesday + 1).kind, 'attention')
  }
})
