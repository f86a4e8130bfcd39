import { ApiError, invalid } from './errors.ts'
import { site } from './identifiers.ts'
import type { Answer, EventType, Location, LocationChoice } from './records.ts'

// Two kinds have another name on an event than on its type.
const eventNames: Record<string, string> = {
  zoom_conference: 'zoom',
  gotomeeting_conference: 'gotomeeting'
}

/** A type with locations needs a choice, even if it has one only. */
export function checkChoice({ locations }: EventType, choice: LocationChoice | undefined) {
  if (!choice && locations.length > 0) throw badLocation('location')
  if (choice && !locations.some(({ kind }) => kind === choice.kind)) throw badLocation('kind')
}

const badLocation = (part: 'kind' | 'location') =>
  new ApiError(400, {
    message: 'Specified location kind is not configured for this event type.',
    details: [
      {
        parameter: `event.location_configuration.${part}`,
        message: 'invalid location choice',
        code: 'invalid_location_choice'
      }
    ]
  })

/** What a person with no preference takes, and what a round robin type gives everybody. */
export function firstChoice({ locations: [first] }: EventType): LocationChoice | undefined {
  if (!first) return undefined
  const { kind, location } = first
  if (kind === 'outbound_call' || kind === 'ask_invitee') return { kind, location: '+1 415 555 0100' }
  return location === undefined ? { kind } : { kind, location }
}

/** Through the API: of a round robin type the host who is assigned decides, and nobody else may. */
export function choiceOf(
  eventType: EventType,
  asked: LocationChoice | undefined
): LocationChoice | undefined {
  if (eventType.pooling !== 'round_robin') return asked
  if (asked) throw invalid({ parameter: 'location', message: 'must not be sent for a round robin type' })
  return firstChoice(eventType)
}

/** What the choice becomes on the event with that id. */
export function locationOf(
  { locations }: EventType,
  choice: LocationChoice | undefined,
  eventId: string
): Location | null {
  if (!choice) return null
  const type = eventNames[choice.kind] ?? choice.kind
  if (choice.kind === 'google_conference') {
    return { type, status: 'processing', join_url: `${site}/events/${eventId}/google_meet` }
  }
  if (choice.kind.endsWith('_conference')) {
    return { type, status: 'pushed', join_url: `${site}/events/${eventId}/${type}`, data: {} }
  }
  const configured = locations.find(({ kind }) => kind === choice.kind)
  return {
    type,
    location: choice.location ?? configured?.phone_number ?? '',
    ...(configured?.additional_info !== undefined && { additional_info: configured.additional_info })
  }
}

/** Questions are matched by their exact text. */
export function checkAnswers({ custom_questions }: EventType, answers: readonly Answer[]) {
  const questions = custom_questions.filter(({ enabled }) => enabled)
  const isMissing = ({ name, required }: (typeof questions)[number]) =>
    required && !answers.some(({ question, answer }) => question === name && answer.trim() !== '')
  if (questions.some(isMissing)) {
    throw new ApiError(400, { message: 'Required Questions and Answers cannot be blank.' })
  }
  for (const [index, { question, answer }] of answers.entries()) {
    const asked = questions.find(({ name }) => name === question)
    if (!asked) {
      const parameter = `questions_and_answers[${index}].question`
      throw invalid({ parameter, message: 'is not a question of this event type' })
    }
    if (asked.type === 'phone_number' && !isPhoneNumber(answer)) {
      throw invalid({
        parameter: 'questions_and_answers',
        message: 'Phone Number is not a valid phone number'
      })
    }
    if (!isAmongChoices(asked, answer)) {
      throw invalid({ parameter: 'questions_and_answers', message: `${question} is not a valid choice` })
    }
  }
}

const isPhoneNumber = (text: string) => /^\+?[\d\s().-]{6,20}$/.test(text)

/** Several choices are joined by line breaks. */
function isAmongChoices(
  { type, answer_choices, include_other }: EventType['custom_questions'][number],
  answer: string
): boolean {
  if (include_other || !type.endsWith('_select')) return true
  const chosen = type === 'multi_select' ? answer.split('\n') : [answer]
  return chosen.every((choice) => answer_choices.includes(choice))
}
