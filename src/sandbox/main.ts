import { parseArgs } from 'node:util'
import { openSandbox } from './sandbox.ts'
import { planName } from './seed.ts'
import { standardSeed } from './standard.ts'

const usage = `Usage: npm run sandbox -- [--plan <${planName.options.join('|')}>]

  --plan  the Calendly plan whose quotas are enforced; none by default

The variables PORT and HOST say where to listen.`

const plan = readPlan()
const { PORT = '0', HOST = '127.0.0.1' } = process.env
const seed = { ...standardSeed, plan }
const sandbox = await openSandbox({ port: Number(PORT), host: HOST, seed }).catch((error: Error) =>
  refuse(error.message)
)

console.log(`Calendly and Stripe sandbox at ${sandbox.url}`)
console.log()
console.log('Tokens:')
for (const [name, token] of Object.entries(sandbox.tokens)) console.log(`  ${name.padEnd(10)} ${token}`)
console.log()
if (plan) {
  console.log(`Quotas of the ${plan} plan`)
  console.log()
}
console.log('To point the gateway at it:')
console.log(`  export CALENDLY_API_BASE_URL=${sandbox.url}`)
console.log(`  export CALENDLY_API_TOKEN=${sandbox.token}`)
console.log(`  export CALENDLY_WEBHOOK_SIGNING_KEY=${sandbox.signingKey}`)
console.log(`  export STRIPE_API_BASE_URL=${sandbox.url}`)
console.log(`  export STRIPE_SECRET_KEY=${sandbox.stripeKeys.restricted}`)
console.log('  export STRIPE_WEBHOOK_SECRET=whsec_sandbox')
console.log()
console.log(
  `Control: ${sandbox.url}/__sandbox/state (see docs/calendly-sandbox.md and docs/stripe-sandbox.md)`
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void sandbox.close())
}

function readPlan() {
  try {
    const { values } = parseArgs({ options: { plan: { type: 'string' }, help: { type: 'boolean' } } })
    if (values.help) {
      console.log(usage)
      process.exit(0)
    }
    const known = planName.optional().safeParse(values.plan)
    return known.success ? known.data : refuse(`There is no plan ${values.plan}\n\n${usage}`)
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
}

function refuse(message: string): never {
  console.error(message)
  process.exit(1)
}
