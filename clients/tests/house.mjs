// What every program here begins with: somebody signs up, somebody founds a company, somebody talks to the server without a client.
// Nothing is shared between tests: every person and company is new.

import { randomUUID } from 'node:crypto'
import { createClient } from '@supabase/supabase-js'

export const URL = process.env.THORBIS_URL
export const ANON_KEY = process.env.ANON_KEY
export const SERVICE_KEY = process.env.SERVICE_KEY
/** What the server believes tokens of other programs by. */
export const JWT_SECRET = process.env.THORBIS_AUTH__JWT_SECRET
export const PASSWORD = 'correct horse battery staple'

/** Returns the data of an answer; throws its error. */
export function done({ data, error }) {
  if (error) throw error
  return data
}

/** A client of nobody. */
export function visitor(key = ANON_KEY, headers = {}) {
  return createClient(URL, key, { auth: { persistSession: false, autoRefreshToken: false }, global: { headers } })
}

/** A client of the operator's programs. */
export const service = (headers) => visitor(SERVICE_KEY, headers)

export const address = (name) => `${name}.${randomUUID()}@example.com`

/** Somebody who just signed up. */
export async function person(name, headers) {
  const client = visitor(ANON_KEY, headers)
  const email = address(name)
  const { user, session } = done(await client.auth.signUp({ email, password: PASSWORD }))
  return { client, email, user, session }
}

/** Somebody who founded a company. */
export async function owner(name) {
  const one = await person(name)
  const company = done(await one.client.rpc('create_company_with_owner', { name: `${name} ${randomUUID()}`, industry: 'home_services' }))
  done(await one.client.auth.refreshSession())
  return { ...one, company }
}

/** Somebody who belongs to a company in a role, with a session in it. */
export async function member(company, role) {
  const one = await person(role)
  const row = { company_id: company.id, user_id: one.user.id, role, status: 'active' }
  done(await service().from('team_members').insert(row))
  const { error } = await choose(one.client, company.id)
  if (error) throw new Error(JSON.stringify(error))
  return one
}

/** Makes a company the active one of a client's session. */
export async function choose(client, companyId) {
  const { session } = done(await client.auth.getSession())
  const answer = await call('POST', '/auth/v1/company', { token: session.access_token, body: { company_id: companyId } })
  if (answer.status !== 200) return { error: answer.body }
  done(await client.auth.setSession({ access_token: answer.body.access_token, refresh_token: answer.body.refresh_token }))
  return { session: answer.body }
}

/** One request without a client. `body` is sent as JSON, `raw` as it is. */
export async function call(method, path, { token, key = ANON_KEY, body, raw, headers = {} } = {}) {
  const response = await fetch(URL + path, {
    method,
    headers: { apikey: key, ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': 'application/json', ...headers },
    body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  })
  const text = await response.text()
  let json = null
  try {
    json = JSON.parse(text)
  } catch {}
  return { status: response.status, headers: response.headers, body: json, text }
}

export const claims = (session) => JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url'))

/** The newest message to an address or number, once the mailbox has one. */
export async function message(to) {
  const mailbox = async (path) => {
    const { status, body } = await call('GET', `/mailbox/api/v1/${path}`, { key: SERVICE_KEY })
    if (status !== 200) throw new Error(`the mailbox answered ${status}`)
    return body
  }
  // It is sent after the answer.
  const until = Date.now() + 20_000
  for (;;) {
    const found = await mailbox(`search?query=${encodeURIComponent(`to:"${to}"`)}`)
    if (found.messages_count > 0) {
      const { Text: text } = await mailbox(`message/${found.messages[0].ID}`)
      const link = text.match(/^http.*$/m)?.[0]
      return { text, link, token: link && new globalThis.URL(link).searchParams.get('token'), code: text.replace(/^http.*$/m, '').match(/\b\d{6}\b/)?.[0] }
    }
    if (Date.now() >= until) throw new Error(`no message to ${to}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
