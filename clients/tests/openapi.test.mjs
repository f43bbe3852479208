// The description at the root against a validator of both versions.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import SwaggerParser from '@apidevtools/swagger-parser'
import { ANON_KEY, SERVICE_KEY, call } from './house.mjs'

const described = (accept, key = SERVICE_KEY, path = '/rest/v1/') => call('GET', path, { key, headers: { accept } })

for (const [version, accept] of [
  ['2.0', 'application/openapi+json'],
  ['3.1.0', 'application/openapi+json;version=3.1'],
]) {
  test(`the description in version ${version} is valid`, async () => {
    for (const key of [SERVICE_KEY, ANON_KEY]) {
      const { status, body } = await described(accept, key)
      assert.equal(status, 200)
      assert.equal(body.swagger ?? body.openapi, version)
      await SwaggerParser.validate(body)
    }
  })
}

test('the root is the same with and without a slash, and says where it is', async () => {
  const [{ body }, { body: same }] = [await described('*/*'), await described('*/*', SERVICE_KEY, '/rest/v1')]
  assert.deepEqual(body, same)
  assert.equal(`http://${body.host}${body.basePath}`, `${process.env.THORBIS_URL}/rest/v1`)
  assert.match(body.definitions.jobs.properties.customer_id.description, /<fk table='customers' column='id'\/>/)
  assert.match(body.definitions.jobs.properties.id.description, /<pk\/>/)
  assert.doesNotMatch(body.definitions.jobs.properties.company_id.description, /<pk\/>/)
})

test('nobody sees what he has no right to', async () => {
  const { body } = await described('*/*', ANON_KEY)
  assert.equal(body.definitions.customers, undefined)
})

test('a page asks whether it may call, a program what can be done', async () => {
  const asked = { origin: 'https://app.example.com', 'access-control-request-method': 'PATCH' }
  const preflight = await call('OPTIONS', '/rest/v1/customers', { headers: asked })
  assert.equal(preflight.status, 204)
  assert.match(preflight.headers.get('access-control-allow-methods'), /PATCH/)
  const told = await call('OPTIONS', '/rest/v1/customers', { headers: { origin: 'https://app.example.com' } })
  assert.equal(told.status, 200)
  assert.equal(told.headers.get('allow'), 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE')
  assert.equal(told.headers.get('access-control-allow-origin'), '*')
})
