import t from 'tap'
import type { CustomQuestion, EventType, LocationOption } from '../../src/core/calendly.ts'
import { AppError } from '../../src/core/errors.ts'
import { checkRequirements, type Details } from '../../src/core/requirements.ts'
import { anEventType } from '../support/samples.ts'

const aQuestion = (changes: Partial<CustomQuestion> = {}): CustomQuestion => ({
  name: 'Company name',
  type: 'string',
  position: 0,
  enabled: true,
  required: false,
  answerChoices: [],
  includeOther: false,
  ...changes
})
const required = aQuestion({ required: true })
const phone = aQuestion({ name: 'Phone Number', type: 'phone_number' })
const size = aQuestion({ name: 'Team size', type: 'single_select', answerChoices: ['1-10', '11-100'] })
const topics = aQuestion({ name: 'Topics', type: 'multi_select', answerChoices: ['Pricing', 'Migration'] })

const answers = (...pairs: [question: string, answer: string][]) =>
  pairs.map(([question, answer], position) => ({ question, answer, position }))

/** The code and the pointers of what is refused; nothing where it is let through. */
function refusal(eventType: Partial<EventType>, details: Partial<Details>) {
  try {
    checkRequirements(anEventType(eventType), { questionsAndAnswers: [], ...details })
    return undefined
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return [error.code, ...error.faults.map(({ pointer }) => pointer)]
  }
}
const asks = (...questions: CustomQuestion[]) => ({ questions })
const has = (...kinds: string[]) => ({ locations: kinds.map((kind): LocationOption => ({ kind })) })

t.test('an event type that asks nothing and has no location needs neither', async (t) => {
  t.equal(refusal({}, {}), undefined)
  t.equal(refusal({ locations: [] }, {}), undefined)
})

t.test('a required question that is left out or left blank is missing', async (t) => {
  t.same(refusal(asks(required), {}), ['missing_answer', '#/questions_and_answers'])
  for (const blank of ['', ' \n']) {
    t.same(refusal(asks(required), { questionsAndAnswers: answers(['Company name', blank]) }), [
      'missing_answer',
      '#/questions_and_answers/0/answer'
    ])
  }
  t.equal(refusal(asks(required), { questionsAndAnswers: answers(['Company name', 'x']) }), undefined)
})

t.test('a question that is switched off or may be left open is not missed', async (t) => {
  t.equal(refusal(asks({ ...required, enabled: false }, size, phone), {}), undefined)
  const blank = answers(['Team size', ''], ['Phone Number', ' '])
  t.equal(refusal(asks(size, phone), { questionsAndAnswers: blank }), undefined)
})

t.test('the text of a question must be the same to the letter', async (t) => {
  const pointer = '#/questions_and_answers/1/question'
  for (const text of ['company name', 'Company name ', 'Company']) {
    const questionsAndAnswers = answers(['Company name', 'x'], [text, 'x'])
    t.same(refusal(asks(required), { questionsAndAnswers }), ['invalid_answer', pointer], text)
  }
})

t.test('an answer to a selection must be among its choices, unless there may be others', async (t) => {
  const one = (question: string, answer: string) => ({ questionsAndAnswers: answers([question, answer]) })
  const refused = ['invalid_answer', '#/questions_and_answers/0/answer']
  t.same(refusal(asks(size), one('Team size', '11 to 100')), refused)
  t.equal(refusal(asks(size), one('Team size', '11-100')), undefined)
  t.same(refusal(asks(topics), one('Topics', 'Pricing, Migration')), refused)
  for (const several of ['Pricing', 'Pricing\nMigration', 'Pricing\r\nMigration']) {
    t.equal(refusal(asks(topics), one('Topics', several)), undefined)
  }
  for (const open of [{ includeOther: true }, { answerChoices: [] }]) {
    t.equal(refusal(asks({ ...size, ...open }), one('Team size', 'Two')), undefined)
    t.equal(refusal(asks({ ...topics, ...open }), one('Topics', 'Pricing\nMusic')), undefined)
  }
})

t.test('a telephone number is refused only where it surely is none', async (t) => {
  const one = (answer: string) => ({ questionsAndAnswers: answers(['Phone Number', answer]) })
  for (const none of ['none', 'call me', '+49', '12']) t.ok(refusal(asks(phone), one(none)), none)
  for (const plausible of ['+49 30 1234567', '0049(0)30/1234-567', '555-0100 ext. 12', '٠٣٠ ١٢٣٤']) {
    t.equal(refusal(asks(phone), one(plausible)), undefined, plausible)
  }
})

t.test('a location must be of a kind that the event type has, and be there if it has any', async (t) => {
  const offered = has('zoom_conference', 'physical')
  t.same(refusal(offered, {}), ['invalid_location', '#/location'])
  t.same(refusal(offered, { location: { kind: 'webex_conference' } }), [
    'invalid_location',
    '#/location/kind'
  ])
  t.equal(refusal(offered, { location: { kind: 'zoom_conference' } }), undefined)
  t.same(refusal(has(), { location: { kind: 'zoom_conference' } }), ['invalid_location', '#/location'])
  t.throws(() => checkRequirements(anEventType(offered), { questionsAndAnswers: [] }), {
    message: /zoom_conference, physical/
  })
})

t.test('what Calendly did not say of its locations is left to Calendly', async (t) => {
  t.equal(refusal({ locations: undefined }, {}), undefined)
  t.equal(refusal({ locations: undefined }, { location: { kind: 'custom' } }), undefined)
})

t.test('some kinds of location need a text', async (t) => {
  const pointer = '#/location/location'
  for (const kind of ['physical', 'outbound_call', 'ask_invitee', 'custom']) {
    t.same(refusal(has(kind), { location: { kind } }), ['invalid_location', pointer], kind)
    t.same(refusal(has(kind), { location: { kind, location: ' ' } }), ['invalid_location', pointer], kind)
    t.equal(refusal(has(kind), { location: { kind, location: 'there' } }), undefined, kind)
  }
  for (const kind of ['inbound_call', 'google_conference', 'microsoft_teams_conference']) {
    t.equal(refusal(has(kind), { location: { kind } }), undefined, kind)
  }
  const places = { locations: [{ kind: 'physical', location: 'Torstrasse 1' }] }
  t.throws(
    () => checkRequirements(anEventType(places), { location: { kind: 'physical' }, questionsAndAnswers: [] }),
    { message: /Torstrasse 1/ },
    'and the host may have named one'
  )
})

t.test('round robin brings its own location; of other pools Calendly has the word', async (t) => {
  const roundRobin = { poolingType: 'round_robin', ...has('zoom_conference') }
  t.equal(refusal(roundRobin, {}), undefined)
  t.same(refusal(roundRobin, { location: { kind: 'zoom_conference' } }), ['invalid_location', '#/location'])
  t.equal(refusal({ poolingType: 'multi_pool', ...has('zoom_conference') }, {}), undefined)
  t.ok(refusal({ poolingType: 'collective', ...has('zoom_conference') }, {}))
})

t.test('everything that is wrong is told at once', async (t) => {
  const wrong = {
    questionsAndAnswers: answers(['Team size', 'Huge'], ['Phone Number', 'none'], ['Who?', 'me'])
  }
  t.same(refusal({ ...asks(required, size, phone), ...has('custom') }, wrong), [
    'invalid_location',
    '#/location',
    '#/questions_and_answers',
    '#/questions_and_answers/0/answer',
    '#/questions_and_answers/1/answer',
    '#/questions_and_answers/2/question'
  ])
})
