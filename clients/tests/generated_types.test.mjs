// `thorbis types typescript` against a compiler: a program that uses its types has to compile, with what is wrong in it refused.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = new globalThis.URL('..', import.meta.url).pathname
// Below node_modules, so that the compiler finds the client and nothing of it is kept.
const place = `${here}node_modules/.typed`

const { PROGRAM, DATA_FOLDER } = process.env
// What the tests call by THORBIS_... is no setting of the program.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('THORBIS_')))

const types = async (...more) => {
  const words = ['types', 'typescript', '--env', 'development', '--data', DATA_FOLDER, ...more]
  const { stdout } = await run(PROGRAM, words, { env, maxBuffer: 64 << 20 })
  return stdout
}

test('a program with the types of the database compiles, and mistakes in it do not', async () => {
  await rm(place, { recursive: true, force: true })
  await mkdir(place)
  await writeFile(`${place}/database.ts`, await types())
  await copyFile(`${here}programs/typed.ts`, `${place}/typed.ts`)
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler']
  const compiled = await run('node', [`${here}node_modules/typescript/bin/tsc`, ...options, `${place}/typed.ts`]).catch((failed) => failed)
  assert.equal(compiled.stdout, '')
})

test('the same database gives the same text, and one schema is one schema', async () => {
  assert.equal(await types(), await types())
  const shared = await types('--schema', 'shared')
  assert.match(shared, /^type DefaultSchema = Schemas\["shared"\]$/m)
  assert.doesNotMatch(shared, /^ {2}public: \{$/m)
})

test('the company is no part of a key', async () => {
  const text = await types('--schema', 'public')
  assert.match(text, /columns: \["customer_id"\]\n\s+isOneToOne: false\n\s+referencedRelation: "customers"\n\s+referencedColumns: \["id"\]/)
  assert.doesNotMatch(text, /columns: \["company_id", /)
})

test('a schema that is not there is said', async () => {
  const refused = await types('--schema', 'nowhere').catch((failed) => failed)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /nowhere \(schema_not_found\)/)
})
