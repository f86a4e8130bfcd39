import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { loadSecrets } from '../secrets.ts'
import { describeScopes } from './scopes.ts'

// The document comes from the routes of a whole app, so one is built, on a database that is thrown away.
const dataDir = await mkdtemp(join(tmpdir(), 'openapi-'))
const docs = join(import.meta.dirname, '../../docs')
try {
  const config = loadConfig({ DATA_DIR: dataDir })
  const app = await buildApp({ config, secrets: loadSecrets(config) })
  await app.ready()
  const document = JSON.stringify(app.swagger(), null, 2)
  await app.close()
  await writeFile(join(docs, 'openapi.json'), `${document}\n`)
  await writeFile(join(docs, 'scopes.md'), describeScopes(JSON.parse(document)))
} finally {
  await rm(dataDir, { recursive: true })
}
