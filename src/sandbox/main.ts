import { openSandbox } from './sandbox.ts'

const { PORT = '0', HOST = '127.0.0.1' } = process.env
const sandbox = await openSandbox({ port: Number(PORT), host: HOST }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})

console.log(`Calendly sandbox at ${sandbox.url}`)
console.log()
console.log('Tokens:')
for (const [name, token] of Object.entries(sandbox.tokens)) console.log(`  ${name.padEnd(10)} ${token}`)
console.log()
console.log('To point the gateway at it:')
console.log(`  export CALENDLY_API_BASE_URL=${sandbox.url}`)
console.log(`  export CALENDLY_API_TOKEN=${sandbox.token}`)
console.log(`  export CALENDLY_WEBHOOK_SIGNING_KEY=${sandbox.signingKey}`)
console.log()
console.log(`Control: ${sandbox.url}/__sandbox/state (see docs/calendly-sandbox.md)`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void sandbox.close())
}
