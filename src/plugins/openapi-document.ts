import { STATUS_CODES } from 'node:http'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { noBody } from '../schemas/common.ts'
import { describeWebhooks } from './openapi-webhooks.ts'

type Transform = NonNullable<FastifyDynamicSwaggerOptions['transform']>
type TransformObject = NonNullable<FastifyDynamicSwaggerOptions['transformObject']>
type Answers = Record<string, { description: string }>
/** As far as it matters here. */
type Document = {
  components: { schemas: Record<string, object> }
  paths: Record<string, Record<string, { responses: Answers }>>
  webhooks?: Record<string, object>
}

/** One operation: its schemas as JSON Schema, and what its route's config demands of a caller. */
export const describeRoute: Transform = (document) => {
  const { body, ...rest } = document.schema ?? {}
  const { schema, url } = jsonSchemaTransform({
    ...document,
    schema: body === noBody ? rest : { ...rest, body }
  })
  const { scope, idempotency } = document.route.config ?? {}
  const isPublic = scope === undefined || scope === 'anyone' || scope === 'public'
  return {
    url,
    schema: {
      operationId: operationId([document.route.method].flat()[0] ?? '', url),
      ...schema,
      ...(!isPublic && { security: [{ callerKey: [] }] }),
      ...(idempotency && { headers: idempotencyHeader(idempotency === 'required') }),
      'x-required-scope': isPublic ? null : scope
    }
  }
}

/** `GET /api/v1/bookings/:id/timeline` → `getBookingsByIdTimeline`. */
function operationId(method: string, url: string): string {
  const words = url
    .replace(/^\/api(\/v\d+)?/, '')
    .split(/[/-]/)
    .map((word) => (word.startsWith(':') ? `by-${word.slice(1)}` : word))
    .flatMap((word) => word.split('-'))
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function idempotencyHeader(required: boolean) {
  const key = {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    description: 'Repeating a request with its key repeats the answer, not the effect'
  }
  return {
    type: 'object',
    properties: { 'Idempotency-Key': key },
    ...(required && { required: ['Idempotency-Key'] })
  }
}

/** The whole document: named schemas that are used and no others, answers open to new members. */
export const completeDocument: TransformObject = (document) => {
  const { components, paths, ...rest } = jsonSchemaTransformObject(document) as Document
  const all = components.schemas
  for (const [name, schema] of Object.entries(all)) if (!isInput(name)) openAnswers(schema)
  for (const { responses } of Object.values(paths).flatMap((path) => Object.values(path))) {
    openAnswers(responses)
    nameAnswers(responses)
  }
  const webhooks = describeWebhooks()
  const names = [...referencesIn({ paths, webhooks }, all)].sort()
  const schemas = Object.fromEntries(names.map((name) => [name, all[name] ?? {}]))
  return shortenInputs({ ...rest, components: { ...components, schemas }, paths, webhooks }, names)
}

const isInput = (name: string) => name.endsWith('Input')

/** A caller must not take a member that is new for a fault. Numbers are counts, where nothing else is said of them. */
function openAnswers(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if ('additionalProperties' in value && value.additionalProperties === false) {
    delete value.additionalProperties
  }
  if ('minimum' in value && value.minimum === Number.MIN_SAFE_INTEGER) value.minimum = 0
  for (const member of Object.values(value)) openAnswers(member)
}

function nameAnswers(responses: Answers): void {
  for (const [status, response] of Object.entries(responses)) {
    if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? ''
  }
}

/** The schemas a part of the document speaks of, and those that these speak of. */
function referencesIn(
  part: unknown,
  schemas: Record<string, object>,
  found = new Set<string>()
): Set<string> {
  for (const [, name = ''] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    if (found.has(name)) continue
    found.add(name)
    referencesIn(schemas[name], schemas, found)
  }
  return found
}

/** What is only ever sent to us needs no name that tells it from what we answer. */
function shortenInputs(document: Document, names: readonly string[]): Document {
  let text = JSON.stringify(document)
  for (const name of names.filter(isInput)) {
    const short = name.slice(0, -'Input'.length)
    if (!names.includes(short)) text = text.replace(new RegExp(`(?<=["/])${name}"`, 'g'), `${short}"`)
  }
  return JSON.parse(text)
}
