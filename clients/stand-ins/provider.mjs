// A provider of accounts (OpenID Connect) for the client programs: discovery, sign-in without a page, tokens, keys. Prints its address.
//
// Whoever comes says in `login_hint` who he is, `sub` or `sub:address`. Two are special: `deny` does not agree, and the code of `busy` is
// answered with 429.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'

const CLIENT = process.env.PROVIDER_CLIENT
const SECRET = process.env.PROVIDER_SECRET
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const codes = new Map()
let url

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const person = (hint) => {
  const [sub, email = `${sub}@provider.example`] = hint.split(':')
  return { sub, email, email_verified: true, name: `Somebody ${sub}`, picture: `${url}/pictures/${sub}.png` }
}

function idToken(hint, nonce) {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: url, aud: CLIENT, iat: now, exp: now + 600, ...(nonce ? { nonce } : {}), ...person(hint) }
  const message = `${base64({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${base64(claims)}`
  return `${message}.${sign('sha256', Buffer.from(message), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

function authorize(query) {
  const back = new URL(query.get('redirect_uri'))
  back.searchParams.set('state', query.get('state'))
  const hint = query.get('login_hint') ?? randomUUID()
  if (query.get('client_id') !== CLIENT || query.get('response_type') !== 'code') return [400, { error: 'invalid_request' }]
  if (hint === 'deny') {
    back.searchParams.set('error', 'access_denied')
    back.searchParams.set('error_description', 'The user did not agree')
  } else {
    const code = randomUUID()
    codes.set(code, { hint, query })
    back.searchParams.set('code', code)
  }
  return [302, null, { location: back.href }]
}

function token(form) {
  const { hint, query } = codes.get(form.get('code')) ?? {}
  codes.delete(form.get('code'))
  if (!query) return [400, { error: 'invalid_grant' }]
  if (hint === 'busy') return [429, { error: 'temporarily_unavailable' }]
  const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url')
  const good =
    form.get('grant_type') === 'authorization_code' &&
    form.get('client_secret') === SECRET &&
    form.get('redirect_uri') === query.get('redirect_uri') &&
    challenge === query.get('code_challenge')
  if (!good) return [400, { error: 'invalid_client' }]
  const access_token = `access-${hint}`
  return [200, { access_token, refresh_token: `refresh-${hint}`, token_type: 'Bearer', expires_in: 600, id_token: idToken(hint, query.get('nonce')) }]
}

function answer(path, query, form, headers) {
  switch (path) {
    case '/.well-known/openid-configuration':
      return [
        200,
        {
          issuer: url,
          authorization_endpoint: `${url}/authorize`,
          token_endpoint: `${url}/token`,
          userinfo_endpoint: `${url}/userinfo`,
          jwks_uri: `${url}/keys`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        },
      ]
    case '/keys':
      return [200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] }]
    case '/authorize':
      return authorize(query)
    case '/token':
      return token(form)
    case '/userinfo': {
      const hint = (headers.authorization ?? '').replace('Bearer access-', '')
      return hint ? [200, person(hint)] : [401, {}]
    }
    // What an application on a telephone gets without a browser.
    case '/id-token':
      return [200, { id_token: idToken(query.get('login_hint'), query.get('nonce')) }]
    default:
      return [404, {}]
  }
}

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const { pathname, searchParams } = new URL(request.url, url)
    const [status, body, headers = {}] = answer(pathname, searchParams, new URLSearchParams(Buffer.concat(chunks).toString()), request.headers)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body === null ? '' : JSON.stringify(body))
  })
})
server.listen(0, '127.0.0.1', () => {
  url = `http://127.0.0.1:${server.address().port}`
  console.log(url)
})
