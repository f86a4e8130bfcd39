import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A promise's mechanism taken out of a file of `src`. */
export type Sabotage = { file: string; mechanism: string; without: string }

const repository = join(import.meta.dirname, '../../..')

/**
 * A copy of the service without those mechanisms; it starts again and again as it was, whoever edits the
 * source meanwhile. Throws where the source no longer has them to lose.
 */
export async function copySource(sabotages: readonly Sabotage[]) {
  const root = await mkdtemp(join(tmpdir(), 'calendly-gateway-source-'))
  await cp(join(repository, 'src'), join(root, 'src'), { recursive: true })
  await cp(join(repository, 'package.json'), join(root, 'package.json'))
  await symlink(join(repository, 'node_modules'), join(root, 'node_modules'))
  for (const { file, mechanism, without } of sabotages) {
    const path = join(root, 'src', file)
    const [before, after, ...more] = (await readFile(path, 'utf8')).split(mechanism)
    if (after === undefined || more.length > 0) throw new Error(`src/${file} does not say once: ${mechanism}`)
    await writeFile(path, before + without + after)
  }
  return { root, remove: () => rm(root, { recursive: true }) }
}
