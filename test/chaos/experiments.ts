import { bookingKill } from './booking-kill.ts'
import { databaseRestart } from './database-restart.ts'
import { faults } from './faults.ts'
import { holds } from './holds.ts'
import { keyRevoked } from './key-revoked.ts'
import { lostAnswers } from './lost-answers.ts'
import { model } from './model.ts'
import { oneSlot } from './one-slot.ts'
import { quota } from './quota.ts'
import { sameKey } from './same-key.ts'
import { silence } from './silence.ts'
import { stepKill } from './step-kill.ts'
import type { Experiment } from './support/experiment.ts'
import { webhooksKill } from './webhooks-kill.ts'

export const experiments: Readonly<Record<string, Experiment>> = {
  'webhooks-kill': webhooksKill,
  'one-slot': oneSlot,
  holds,
  model,
  'same-key': sameKey,
  'booking-kill': bookingKill,
  'step-kill': stepKill,
  'lost-answers': lostAnswers,
  'database-restart': databaseRestart,
  'key-revoked': keyRevoked,
  quota,
  faults,
  silence
}
