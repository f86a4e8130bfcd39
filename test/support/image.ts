/**
 * Which of the repository's files an image contains: follows COPY, ADD and rm through the stages to the last.
 * Understands files that keep their place: `COPY src src`, not `COPY src elsewhere`.
 */
export function shipped(dockerfile: string, repository: readonly string[]): string[] {
  const stages = new Map<string, Set<string>>()
  let stage = new Set<string>()
  for (const line of dockerfile.replaceAll('\\\n', ' ').split('\n')) {
    const [instruction = '', ...words] = line.trim().split(/\s+/)
    const options = words.filter((word) => word.startsWith('-'))
    const paths = words
      .filter((word) => !word.startsWith('-'))
      .map((path) => path.replace(/^(\/app|\.)\//, ''))
    if (instruction === 'FROM') {
      stage = new Set(stages.get(words[0] ?? ''))
      stages.set(words[2] ?? '', stage)
    }
    if (instruction === 'COPY' || instruction === 'ADD') {
      const from = options.find((option) => option.startsWith('--from='))?.slice('--from='.length)
      const source = from === undefined ? repository : [...(stages.get(from) ?? [])]
      for (const file of within(source, paths.slice(0, -1))) stage.add(file)
    }
    if (instruction === 'RUN' && words[0] === 'rm') {
      for (const file of within([...stage], paths)) stage.delete(file)
    }
  }
  return [...stage]
}

const within = (files: readonly string[], paths: readonly string[]) =>
  files.filter((file) => paths.some((path) => path === '.' || `${file}/`.startsWith(`${path}/`)))
