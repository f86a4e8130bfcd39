import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import pg from 'pg'

const [command = '', ...args] = process.argv.slice(2)
const url = new URL(process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres')
const name = `demo_${randomUUID().replaceAll('-', '')}`
const client = new pg.Client(url.href)
await client.connect()
await client.query(`create database ${name}`)
url.pathname = `/${name}`
const { status } = spawnSync(command, args, {
  stdio: 'inherit',
  env: { ...process.env, DATABASE_URL: url.href }
})
await client.query(`drop database ${name} with (force)`)
await client.end()
process.exitCode = status ?? 1
