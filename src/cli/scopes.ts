import { type Scope, scopes } from '../core/callers.ts'

type Operation = { summary?: string; 'x-required-scope'?: string | null }

/** The page of the documentation that says which routes a scope opens, from an OpenAPI document. */
export function describeScopes(document: { paths?: Record<string, Record<string, Operation>> }): string {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '', 'x-required-scope': scope }]) => ({
      scope,
      row: `| \`${method.toUpperCase()} ${path}\` | ${summary.replaceAll('|', '\\|')} |`
    }))
  )
  const section = (title: string, scope: Scope | null) => {
    const rows = operations.filter((operation) => operation.scope === scope).map(({ row }) => row)
    return rows.length > 0 ? [`## ${title}\n| route | does |\n|---|---|\n${rows.join('\n')}\n`] : []
  }
  return [
    `# Scopes and routes

Which scope of a caller key opens which route. \`:write\` includes \`:read\`; \`admin\` includes nothing but its own routes.
The key of \`ADMIN_API_KEY\` has every scope. How to call: [api.md](api.md).

Written by \`npm run openapi\`: do not edit.
`,
    ...scopes.flatMap((scope) => section(`\`${scope}\``, scope)),
    ...section('No key', null)
  ].join('\n')
}
