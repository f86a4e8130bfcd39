type Labels = Readonly<Record<string, string | number>>

/** What is undefined is not known, and left out. */
export type Sample = readonly [
  value: number | undefined,
  labels?: Labels,
  suffix?: '_sum' | '_count' | undefined
]

/** A metric whose figures somebody keeps already: it only knows where to read them. */
export type Family<T> = {
  name: string
  type: 'counter' | 'gauge' | 'summary'
  help: string
  read: (reports: T) => number | undefined | readonly Sample[]
}

/** In Prometheus' text format, version 0.0.4. */
export function renderFamilies<T>(families: readonly Family<T>[], reports: T): string {
  return families
    .map(({ name, type, help, read }) => {
      const found = read(reports)
      const samples: readonly Sample[] = typeof found === 'object' ? found : [[found]]
      const lines = samples
        .filter(([value]) => value !== undefined)
        .map(([value, labels = {}, suffix = '']) => `${name}${suffix}${render(labels)} ${value}\n`)
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
    })
    .join('\n')
}

export const labelled = (labels: Labels, samples: readonly Sample[]): Sample[] =>
  samples.map(([value, own, suffix]) => [value, { ...labels, ...own }, suffix] as const)

/** A sample for each name: 1 for the one that is true. */
export const oneOf = (label: string, names: readonly string[], name: string): Sample[] =>
  names.map((each) => [Number(each === name), { [label]: each }] as const)

export const inSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000)

function render(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escaped = (text: string) => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')
