import { uriOf } from './identifiers.ts'
import type { SeedInput } from './seed.ts'
import { ids, tokens } from './standard-ids.ts'

/** The seed the sandbox has when it is given none. Ids and tokens are fixed: docs and tests may name them. */
export const standardSeed = {
  signing_key: 'sandbox-webhook-signing-key',
  organizations: [
    { id: ids.northwind, name: 'Northwind Consulting' },
    { id: ids.tanaka, name: 'Tanaka Studio' }
  ],
  users: [
    {
      id: ids.ada,
      organization: ids.northwind,
      role: 'owner',
      name: 'Ada Berger',
      slug: 'ada-berger',
      email: 'ada@northwind.example',
      timezone: 'Europe/Berlin'
    },
    {
      id: ids.lena,
      organization: ids.northwind,
      role: 'admin',
      name: 'Lena Vogt',
      slug: 'lena-vogt',
      email: 'lena@northwind.example',
      timezone: 'Europe/Berlin'
    },
    {
      id: ids.noah,
      organization: ids.northwind,
      role: 'user',
      name: 'Noah Hudson',
      slug: 'noah-hudson',
      email: 'noah@northwind.example',
      timezone: 'America/New_York'
    },
    {
      id: ids.mei,
      organization: ids.tanaka,
      role: 'owner',
      name: 'Mei Tanaka',
      slug: 'mei-tanaka',
      email: 'mei@tanaka.example',
      timezone: 'Asia/Tokyo'
    },
    {
      id: ids.tomas,
      organization: ids.northwind,
      role: 'user',
      name: 'Tomás Silva',
      slug: 'tomas-silva',
      email: 'tomas@northwind.example',
      timezone: 'Europe/Lisbon'
    }
  ],
  teams: [{ id: ids.advisors, organization: ids.northwind, name: 'Advisors', slug: 'northwind-advisors' }],
  tokens: [
    { name: 'ada', value: tokens.ada, user: ids.ada },
    { name: 'ada-spare', value: tokens.adaSpare, user: ids.ada },
    { name: 'lena', value: tokens.lena, user: ids.lena },
    { name: 'noah', value: tokens.noah, user: ids.noah },
    { name: 'mei', value: tokens.mei, user: ids.mei }
  ],
  event_types: [
    {
      id: ids.thirtyMinutes,
      host: ids.ada,
      name: '30 Minute Meeting',
      slug: '30min',
      locations: [{ kind: 'google_conference' }]
    },
    {
      id: ids.consultation,
      host: ids.ada,
      name: 'Consultation',
      slug: 'consultation',
      minimum_notice_minutes: 120,
      buffer_before_minutes: 10,
      buffer_after_minutes: 15,
      description: 'Half an hour on one question of yours.',
      custom_questions: [
        { name: 'Company name', type: 'string', required: true },
        { name: 'What would you like to discuss?', type: 'text' },
        { name: 'Phone Number', type: 'phone_number', required: true },
        {
          name: 'Team size',
          type: 'single_select',
          required: true,
          answer_choices: ['1-10', '11-100', 'More than 100']
        },
        {
          name: 'Topics',
          type: 'multi_select',
          answer_choices: ['Pricing', 'Migration', 'Security'],
          include_other: true
        }
      ],
      locations: [
        { kind: 'zoom_conference' },
        { kind: 'physical', location: 'Torstrasse 1, Berlin', additional_info: 'Second floor' },
        { kind: 'outbound_call' }
      ]
    },
    {
      id: ids.workshop,
      host: ids.ada,
      name: 'Group Workshop',
      slug: 'workshop',
      kind: 'group',
      invitee_limit: 5,
      duration: 60,
      increment_minutes: 60,
      locations: [{ kind: 'zoom_conference' }]
    },
    {
      id: ids.introCall,
      host: ids.noah,
      name: 'Intro Call',
      slug: 'intro-call'
    },
    {
      id: ids.studioVisit,
      host: ids.mei,
      name: 'Studio Visit',
      slug: 'studio-visit'
    },
    {
      id: ids.teamCall,
      team: ids.advisors,
      pooling: { type: 'round_robin', pools: [[ids.ada, ids.noah, ids.tomas]] },
      name: 'Team Call',
      slug: 'team-call',
      locations: [{ kind: 'zoom_conference' }]
    },
    {
      id: ids.panel,
      team: ids.advisors,
      pooling: { type: 'collective', pools: [[ids.ada], [ids.tomas]] },
      name: 'Panel',
      slug: 'panel',
      locations: [{ kind: 'google_conference' }]
    },
    {
      id: ids.kickoff,
      team: ids.advisors,
      pooling: { type: 'multi_pool', pools: [[ids.ada, ids.tomas], [ids.noah]] },
      name: 'Kickoff',
      slug: 'kickoff'
    }
  ]
} satisfies SeedInput

/** The standard seed by name. */
export const standard = {
  organization: uriOf('organizations', ids.northwind),
  secondOrganization: uriOf('organizations', ids.tanaka),
  signingKey: standardSeed.signing_key,
  users: {
    ada: uriOf('users', ids.ada),
    /** Of Ada's organization, an admin without event types. */
    lena: uriOf('users', ids.lena),
    noah: uriOf('users', ids.noah),
    mei: uriOf('users', ids.mei),
    /** Of Ada's organization, without a token. */
    tomas: uriOf('users', ids.tomas)
  },
  tokens,
  eventTypes: {
    /** Ada, one-on-one, a Google Meet. */
    thirtyMinutes: uriOf('event_types', ids.thirtyMinutes),
    /** Ada, one-on-one, required questions, three locations, buffers and notice. */
    consultation: uriOf('event_types', ids.consultation),
    /** Ada, group of five. */
    workshop: uriOf('event_types', ids.workshop),
    /** Noah, one-on-one, no location. */
    introCall: uriOf('event_types', ids.introCall),
    /** Mei, in the second organization. */
    studioVisit: uriOf('event_types', ids.studioVisit),
    /** Round robin: Ada, Noah or Tomás, in three time zones; a location that Calendly chooses. */
    teamCall: uriOf('event_types', ids.teamCall),
    /** Collective: Ada and Tomás, a Google Meet. */
    panel: uriOf('event_types', ids.panel),
    /** Two pools: Ada or Tomás, and Noah; no location. */
    kickoff: uriOf('event_types', ids.kickoff)
  }
}
