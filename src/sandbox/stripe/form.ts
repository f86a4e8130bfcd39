export type Form = { [name: string]: FormValue }
export type FormValue = string | Form

/** Stripe's nested form encoding: `metadata[order]=1&expand[]=charge`, where a list is a form of its places. */
export function readForm(text: string): Form {
  const form = empty()
  for (const [name, value] of new URLSearchParams(text)) put(form, pathOf(name), value)
  return form
}

/** The values of a list, however its places were named. */
export const listIn = (value: FormValue | undefined): string[] =>
  (typeof value === 'object' ? Object.values(value) : [value ?? '']).filter(
    (one): one is string => typeof one === 'string' && one !== ''
  )

/** The same text for the same parameters, in whatever order they came. */
export const canonical = (value: FormValue): string =>
  typeof value === 'string'
    ? JSON.stringify(value)
    : `{${Object.keys(value)
        .toSorted()
        .map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? '')}`)
        .join()}}`

// Without a prototype, so that no name means more than itself.
const empty = (): Form => Object.create(null)

function pathOf(name: string): string[] {
  const [first = '', ...rest] = name.split('[')
  return [first, ...rest.map((part) => part.replace(/\]$/, ''))]
}

function put(target: Form, [first = '', ...rest]: string[], value: string): void {
  const name = first === '' ? String(Object.keys(target).length) : first
  if (rest.length === 0) {
    target[name] = value
    return
  }
  const found = target[name]
  const inner = typeof found === 'object' ? found : empty()
  target[name] = inner
  put(inner, rest, value)
}
