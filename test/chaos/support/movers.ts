import assert from 'node:assert/strict'
import type { Answer } from '../../support/service.ts'
import { allBookings } from './bookings.ts'
import type { Payer } from './paid.ts'
import { type Replicas, replicaOf, type Service } from './service.ts'
import type { Stage } from './stage.ts'

/** One in so many gives up as soon as he has moved. */
const hastyEvery = 5
/** One in so many moves twice. */
const twiceEvery = 4

/** `to`: the start that he has moved to; `invitee`: as whom he stands there. */
export type Moved = Payer & { isHasty: boolean; to: string }

/** Host or invitee moves each to one of the times; Calendly may or may not show the payment again. */
export async function move(
  stage: Stage,
  payers: readonly Payer[],
  times: readonly string[]
): Promise<Moved[]> {
  const free = [...times]
  const moved: Moved[] = []
  for (const [n, payer] of payers.entries()) {
    const isHasty = n % hastyEvery === 0
    let { invitee } = payer
    let to = ''
    for (let moves = n % twiceEvery === 1 ? 2 : 1; moves > 0; moves--) {
      to = free.shift() ?? ''
      const answer = await stage.control('POST', '/reschedule', {
        ...{ invitee, start_time: to },
        by: n % 3 === 1 ? 'host' : 'invitee',
        payment: n % 2 === 0 ? 'none' : 'copied'
      })
      invitee = answer.invitee.uri
    }
    if (isHasty) await stage.control('POST', '/cancel', { invitee })
    moved.push({ ...payer, invitee, isHasty, to })
  }
  return moved
}

/** Through us, on Calendly's page, or the host does it for them; those who are hasty have done so. */
export async function cancelAll(stage: Stage, replicas: Replicas, moved: readonly Moved[]): Promise<void> {
  const bookings = await wholeBookings(stage, replicas[0])
  const throughUs = async ({ email }: Moved, n: number) => {
    const { id } = bookings.find(({ invitee }) => invitee.email === email)
    const { address } = replicaOf(replicas, n)
    const { status, text } = await stage.ask(`${address}/api/v1/bookings/${id}/cancel`, {
      method: 'POST',
      idempotencyKey: `cancel-${id}`,
      body: { canceler_type: 'invitee' }
    })
    assert([200, 202].includes(status), text)
  }
  const onPage = ({ invitee }: Moved, by: 'invitee' | 'host') =>
    stage.control('POST', '/cancel', { invitee, by })
  const left = moved.filter(({ isHasty }) => !isHasty)
  await Promise.all(
    left.map((one, n) => (n % 3 === 0 ? throughUs(one, n) : onPage(one, n % 3 === 1 ? 'invitee' : 'host')))
  )
}

/** Without those that turned out to be a part of another. */
export async function wholeBookings(stage: Stage, service: Service): Promise<Answer['body'][]> {
  return (await allBookings(stage, service)).filter(({ merged_into }) => merged_into === null)
}
