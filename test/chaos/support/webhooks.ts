import assert from 'node:assert/strict'
import type { Answer } from '../../support/service.ts'
import type { Service } from './service.ts'
import type { Sabotage } from './source.ts'
import type { Stage } from './stage.ts'

/** Acknowledges what it has only in its memory. */
export const inMemoryInbox: Sabotage = {
  file: 'core/deliveries.ts',
  mechanism: 'const isNew = await inbox.insert(delivery)',
  without: 'const isNew = true; setTimeout(() => inbox.insert(delivery).catch(() => {}), 20)'
}

/** Resolves when Calendly has the service's address. */
export async function untilSubscribed(stage: Stage): Promise<void> {
  await stage.until(
    'Calendly has our address',
    () => stage.control('GET', '/state'),
    ({ webhook_subscriptions }) => webhook_subscriptions.length > 0
  )
}

/** Resolves when Calendly has delivered everything and the service has applied what it accepted. */
export async function untilWorkedOff(stage: Stage, { address }: Service): Promise<void> {
  await stage.until(
    'every webhook is delivered',
    async () => {
      const { deliveries } = await stage.control('GET', '/deliveries')
      return deliveries.filter(({ state }: { state: string }) => state !== 'delivered').length
    },
    (outstanding) => outstanding === 0
  )
  const { body } = await stage.until(
    'the inbox is empty',
    () => stage.ask(`${address}/api/health`),
    ({ body }: Answer) => body.queues.inbox?.waiting === 0
  )
  assert.equal(body.queues.inbox.dead, 0, 'no delivery is dead')
}
