import { bookingKill } from './booking-kill.ts'
import { databaseKill } from './database-kill.ts'
import { databaseRestart } from './database-restart.ts'
import { events } from './events.ts'
import { faults } from './faults.ts'
import { guardian } from './guardian.ts'
import { holds } from './holds.ts'
import { keyRevoked } from './key-revoked.ts'
import { lostAnswers } from './lost-answers.ts'
import { model } from './model.ts'
import { oneSlot } from './one-slot.ts'
import { quota } from './quota.ts'
import { refundCancel } from './refund-cancel.ts'
import { refundKill } from './refund-kill.ts'
import { refundRace } from './refund-race.ts'
import { refundReschedule } from './refund-reschedule.ts'
import { sameKey } from './same-key.ts'
import { silence } from './silence.ts'
import { slowConsumer } from './slow-consumer.ts'
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
  'database-kill': databaseKill,
  'key-revoked': keyRevoked,
  quota,
  faults,
  silence,
  events,
  'slow-consumer': slowConsumer,
  guardian,
  'refund-kill': refundKill,
  'refund-cancel': refundCancel,
  'refund-race': refundRace,
  'refund-reschedule': refundReschedule
}
