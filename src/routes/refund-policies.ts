import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { RefundPolicies } from '../core/refund-policies.ts'
import { withProblems } from '../schemas/common.ts'
import {
  policyNameIn,
  policyVersionIn,
  presentRefundPolicy,
  readRefundPolicy,
  refundPoliciesOut,
  refundPolicyIn,
  refundPolicyOut
} from '../schemas/refund-policies.ts'
import { callerOf } from './caller.ts'

const tags = ['Refunds']

export const refundPolicyRoutes: FastifyPluginAsyncZod<{ refundPolicies: RefundPolicies }> = async (
  app,
  { refundPolicies }
) => {
  app.get(
    '/refund-policies',
    {
      config: { scope: 'refunds:read' },
      schema: {
        tags,
        summary: 'List refund policies, each in its newest version',
        response: withProblems({ 200: refundPoliciesOut })
      }
    },
    async (request) => ({
      data: (await refundPolicies.list(callerOf(request))).map(presentRefundPolicy),
      next_cursor: null
    })
  )

  app.get(
    '/refund-policies/:name',
    {
      config: { scope: 'refunds:read' },
      schema: {
        tags,
        summary: 'Read a refund policy, in its newest version or in one that bookings were made under',
        params: policyNameIn,
        querystring: policyVersionIn,
        response: withProblems({ 200: refundPolicyOut })
      }
    },
    async (request) => {
      const { params, query } = request
      return presentRefundPolicy(await refundPolicies.get(callerOf(request), params.name, query.version))
    }
  )

  app.put(
    '/refund-policies/:name',
    {
      config: { scope: 'refunds:write' },
      schema: {
        tags,
        summary: 'Set a refund policy; bookings keep the version that they were made under',
        params: policyNameIn,
        body: refundPolicyIn,
        response: withProblems({ 200: refundPolicyOut })
      }
    },
    async (request) => {
      const wanted = readRefundPolicy(request.params.name, request.body)
      return presentRefundPolicy(await refundPolicies.put(callerOf(request), wanted))
    }
  )
}
