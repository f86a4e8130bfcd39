import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { RefundApproval } from '../core/refund-approval.ts'
import type { Refunds } from '../core/refunds.ts'
import { withProblems } from '../schemas/common.ts'
import {
  presentQuote,
  presentRefund,
  quoteIn,
  quoteOut,
  refundFilterIn,
  refundId,
  refundIn,
  refundOut,
  refundsOut
} from '../schemas/refunds.ts'
import { callerOf, executionOf } from './caller.ts'

const tags = ['Refunds']
const reading = { scope: 'refunds:read' } as const
const deciding = { scope: 'refunds:write', idempotency: 'accepted' } as const

const placeOf = (id: string) => `/api/v1/refunds/${id}`

type Options = { refunds: Refunds; refundApproval: RefundApproval }

export const refundRoutes: FastifyPluginAsyncZod<Options> = async (app, { refunds, refundApproval }) => {
  app.post(
    '/refunds/quote',
    {
      config: reading,
      schema: {
        tags,
        summary: 'What a cancellation at a moment would give back, and why',
        body: quoteIn,
        response: withProblems({ 200: quoteOut })
      }
    },
    async (request) => {
      const { booking_id: bookingId, at, canceler_type: cancelerType } = request.body
      return presentQuote(await refunds.quote(callerOf(request), { bookingId, at, cancelerType }))
    }
  )

  app.post(
    '/refunds',
    {
      config: { scope: 'refunds:write', idempotency: 'required' },
      schema: {
        tags,
        summary: 'Refund a booking: an amount, or what its policy says',
        body: refundIn,
        response: withProblems({ 201: refundOut })
      }
    },
    async (request, reply) => {
      const { booking_id: bookingId, amount, reason, canceler_type: cancelerType } = request.body
      const wanted = { bookingId, amount, reason, cancelerType }
      const refund = await refunds.request(callerOf(request), wanted, executionOf(request))
      return reply.code(201).header('location', placeOf(refund.id)).send(presentRefund(refund))
    }
  )

  app.get(
    '/refunds',
    {
      config: reading,
      schema: {
        tags,
        summary: 'List refunds, newest first',
        querystring: refundFilterIn,
        response: withProblems({ 200: refundsOut })
      }
    },
    async (request) => {
      const { booking_id: bookingId, ...filter } = request.query
      const page = await refunds.list(callerOf(request), { ...filter, bookingId })
      return { data: page.refunds.map(presentRefund), next_cursor: page.nextCursor }
    }
  )

  app.get(
    '/refunds/:id',
    {
      config: reading,
      schema: {
        tags,
        summary: 'Read a refund',
        params: refundId,
        response: withProblems({ 200: refundOut })
      }
    },
    async (request) => presentRefund(await refunds.get(callerOf(request), request.params.id))
  )

  app.post(
    '/refunds/:id/retry',
    {
      config: deciding,
      schema: {
        tags,
        summary: 'Take a refund further now, or try one that came to nothing again as a new one',
        params: refundId,
        response: withProblems({ 200: refundOut, 201: refundOut })
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const refund = await refunds.retry(callerOf(request), id, executionOf(request))
      const code = refund.id === id ? 200 : 201
      return reply.code(code).header('location', placeOf(refund.id)).send(presentRefund(refund))
    }
  )

  app.post(
    '/refunds/:id/approve',
    {
      config: deciding,
      schema: {
        tags,
        summary: 'Approve a refund that waits for it',
        params: refundId,
        response: withProblems({ 200: refundOut })
      }
    },
    async (request) =>
      presentRefund(await refundApproval.approve(callerOf(request), request.params.id, executionOf(request)))
  )

  app.post(
    '/refunds/:id/reject',
    {
      config: deciding,
      schema: {
        tags,
        summary: 'Reject a refund that waits for approval',
        params: refundId,
        response: withProblems({ 200: refundOut })
      }
    },
    async (request) =>
      presentRefund(await refundApproval.reject(callerOf(request), request.params.id, executionOf(request)))
  )
}
