import type { Answer, CustomQuestion, EventType, LocationOption } from './calendly.ts'
import { AppError, type Fault, type ProblemCode } from './errors.ts'

export type Details = {
  location?: { kind: string; location?: string | undefined } | undefined
  questionsAndAnswers: readonly Answer[]
}

type Found = Fault & { code: ProblemCode }

/** Kinds that mean nothing without a text: where, or at which number. */
const kindsWithText = ['physical', 'outbound_call', 'ask_invitee', 'custom']
/** Of a subscriber with an area or country code; no plan of numbers has fewer. */
const fewestDigits = 4

/**
 * Refuses what Calendly would surely refuse, all of it at once: throws `invalid_location`, `missing_answer` or
 * `invalid_answer`, whichever comes first, with a fault for each field. Of what is not sure Calendly has the word.
 */
export function checkRequirements(eventType: EventType, { location, questionsAndAnswers }: Details): void {
  const found = [
    ...locationFaults(eventType, location),
    ...missingAnswers(eventType.questions, questionsAndAnswers),
    ...questionsAndAnswers.flatMap((answer, index) => answerFaults(eventType.questions, answer, index))
  ]
  const [first] = found
  if (!first) return
  const faults = found.map(({ pointer, detail }) => ({ pointer, detail }))
  throw new AppError(first.code, faults.map(({ detail }) => detail).join(' '), { faults })
}

function locationFaults({ locations, poolingType }: EventType, location: Details['location']): Found[] {
  const fault = (pointer: string, detail: string): Found[] => [{ code: 'invalid_location', pointer, detail }]
  if (poolingType === 'round_robin') {
    return location ? fault('#/location', 'Leave it out: the host who is chosen brings the location.') : []
  }
  // Calendly may not have said.
  if (!locations) return []
  if (!location) {
    // Whether a pool of hosts needs one is not documented.
    const isNeeded = locations.length > 0 && poolingType !== 'multi_pool'
    return isNeeded ? fault('#/location', `Choose a location: ${kindsOf(locations)}.`) : []
  }
  if (locations.length === 0) return fault('#/location', 'Leave it out: this event type has no location.')
  if (!locations.some(({ kind }) => kind === location.kind)) {
    return fault('#/location/kind', `This event type has ${kindsOf(locations)}.`)
  }
  const hasText = location.location !== undefined && location.location.trim() !== ''
  if (hasText || !kindsWithText.includes(location.kind)) return []
  return fault(
    '#/location/location',
    `Say where: ${location.kind} needs it.${examplesOf(locations, location)}`
  )
}

const kindsOf = (locations: readonly LocationOption[]) =>
  [...new Set(locations.map(({ kind }) => kind))].join(', ')

/** The places the host has named, of which one is wanted. */
function examplesOf(locations: readonly LocationOption[], { kind }: { kind: string }): string {
  const named = locations.flatMap((option) => (option.kind === kind && option.location) || [])
  return named.length > 0 ? ` The host offers: ${named.join('; ')}.` : ''
}

function missingAnswers(questions: readonly CustomQuestion[], answers: readonly Answer[]): Found[] {
  return questions.flatMap((question): Found[] => {
    if (!question.enabled || !question.required) return []
    const given = answers.flatMap(({ question: name, answer }, index) =>
      name === question.name ? [{ index, isBlank: answer.trim() === '' }] : []
    )
    if (given.some(({ isBlank }) => !isBlank)) return []
    const pointer = given[0] ? `#/questions_and_answers/${given[0].index}/answer` : '#/questions_and_answers'
    return [{ code: 'missing_answer', pointer, detail: `"${question.name}" must be answered.` }]
  })
}

/** The text of a question must be the event type's to the letter. */
function answerFaults(
  questions: readonly CustomQuestion[],
  { question, answer }: Answer,
  index: number
): Found[] {
  const fault = (member: 'question' | 'answer', detail: string): Found[] => [
    { code: 'invalid_answer', pointer: `#/questions_and_answers/${index}/${member}`, detail }
  ]
  const asked = questions.find(({ name }) => name === question)
  if (!asked) return fault('question', 'No question of this event type has this text.')
  // Whether a blank answer will do is judged by whether one is required.
  if (!asked.enabled || answer.trim() === '') return []
  if (asked.type === 'phone_number' && digitsIn(answer) < fewestDigits) {
    return fault('answer', `"${question}" wants a telephone number.`)
  }
  const strange = answersOf(asked, answer).filter((choice) => !asked.answerChoices.includes(choice))
  if (strange.length === 0) return []
  return fault(
    'answer',
    `"${question}" is answered by ${asked.answerChoices.map((c) => `"${c}"`).join(', ')}.`
  )
}

const digitsIn = (text: string) => text.match(/\p{Nd}/gu)?.length ?? 0

/** What must be among the choices. Several of them come joined by line breaks. */
function answersOf({ type, answerChoices, includeOther }: CustomQuestion, answer: string): string[] {
  if (includeOther || answerChoices.length === 0) return []
  if (type === 'single_select') return [answer]
  return type === 'multi_select' ? answer.split(/\r?\n/) : []
}
