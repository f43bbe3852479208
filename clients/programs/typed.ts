// A program of somebody who uses the generated types. It is compiled and never run: what is right has to compile, and the line behind
// each @ts-expect-error must not.

import { createClient } from '@supabase/supabase-js'
import { Constants, type Database, type Json, type Tables, type TablesInsert, type TablesUpdate } from './database'

const client = createClient<Database>('http://localhost', 'key')

/** Tells the compiler that two types are one. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<T extends true>(): T | undefined {
  return undefined
}

export async function reads() {
  const { data: customers } = await client.from('customers').select('id, first_name, credit_limit, metadata').eq('status', 'active').order('last_name')
  same<Same<typeof customers, { id: string; first_name: string; credit_limit: number; metadata: Json }[] | null>>()
  const { data: whole } = await client.from('jobs').select().limit(1).single()
  same<Same<typeof whole, Tables<'jobs'> | null>>()
  // @ts-expect-error a table that is not there
  await client.from('customer').select()
  // @ts-expect-error a column that is not there
  await client.from('customers').select('id').eq('frist_name', 'Ada')
  const { data: wrong } = await client.from('customers').select('frist_name')
  // @ts-expect-error rows of a column that is not there have no such member
  wrong?.[0].frist_name.length
}

export async function embeds() {
  const { data: lines } = await client.from('invoices').select('invoice_number, invoice_line_items(description, quantity), customers(first_name)')
  const line: { description: string; quantity: number } | undefined = lines?.[0].invoice_line_items[0]
  const payer: string | null | undefined = lines?.[0].customers?.first_name
  const { data: homes } = await client.from('properties').select('id, customer:customer_id(first_name), jobs(title)')
  const title: string | undefined = homes?.[0].jobs[0].title
  const owner: string | null | undefined = homes?.[0].customer?.first_name
  const { data: named } = await client.from('jobs').select('title, customers!jobs_customer_id_fkey(first_name), referral:customers!referral_customer_id(first_name)')
  const first: string | null | undefined = named?.[0].customers?.first_name
  const referred: string | null | undefined = named?.[0].referral?.first_name
  const { data: both } = await client.from('customers').select('id, tags:customer_tags(tag_id)')
  const { data: wrong } = await client.from('invoices').select('customers(frist_name)')
  // @ts-expect-error a column that the embedded table does not have
  wrong?.[0].customers?.frist_name.length
  return { line, payer, title, owner, first, referred, both }
}

export async function writes() {
  const row: TablesInsert<'customers'> = { first_name: 'Ada', phone: '+15550100' }
  await client.from('customers').insert(row).select('id').single()
  await client.from('customers').insert([{ first_name: 'Ada' }, { company_name: 'Ada & Co' }])
  await client.from('customers').upsert({ id: 'x', first_name: 'Ada' }, { onConflict: 'id' })
  const change: TablesUpdate<'jobs'> = { title: 'Leak', metadata: { floor: 3 } }
  await client.from('jobs').update(change).eq('id', 'x')
  await client.from('jobs').delete().eq('id', 'x')
  // @ts-expect-error a column that is not there
  await client.from('customers').insert({ frist_name: 'Ada' })
  // @ts-expect-error a value of another type
  await client.from('customers').update({ first_name: 7 })
  // @ts-expect-error a line without what it must have
  await client.from('invoice_line_items').insert({ quantity: 1 })
  // @ts-expect-error a column that the database computes
  await client.from('inventory').update({ quantity_available: 7 })
}

export async function calls() {
  const { data: company } = await client.rpc('create_company_with_owner', { name: 'Ada & Co' })
  const name: string | undefined = company?.name
  const { data: found } = await client.rpc('search_customers', { query: 'ada', max_results: 5 })
  const score: number | undefined = found?.[0].score
  const { data: mine } = await client.rpc('my_companies').select('name, member_role')
  // @ts-expect-error a function that is not there
  await client.rpc('create_company')
  // @ts-expect-error an argument that is not there
  await client.rpc('search_customers', { word: 'ada' })
  // @ts-expect-error a call without what it needs
  await client.rpc('create_company_with_owner', { industry: 'hvac' })
  return { name, score, mine }
}

export async function schemas() {
  const { data: tenants } = await client.schema('shared').from('tenants').select('id')
  const row: Tables<{ schema: 'shared' }, 'users'> | undefined = undefined
  const lists: Record<string, object> = Constants.public.Enums
  // @ts-expect-error a table of another schema
  await client.schema('shared').from('invoices').select()
  return { tenants, row, lists }
}

/** Tables of a project that was brought. */
export async function library() {
  const { data: readers } = await client.from('readers').select('name, status, languages, letters(message, pages)').eq('status', 'ONLINE')
  same<Same<typeof readers, {
    name: string; status: 'ONLINE' | 'OFFLINE' | null; languages: string[]; letters: { message: string | null; pages: number | null }[]
  }[] | null>>()
  const { data: details } = await client.from('rooms').select('slug, room_details(details)').single()
  const text: string | null | undefined = details?.room_details?.details
  const { data: pair } = await client.from('friendships').select('id, second:readers!friendships_second_reader_fkey(name)').single()
  const second: string | undefined = pair?.second?.name
  const { data: sum } = await client.rpc('add_numbers', { a: 1 })
  same<Same<typeof sum, number | null>>()
  const { data: online } = await client.rpc('readers_of', { wanted: 'ONLINE' }).select('name')
  const name: string | undefined = online?.[0].name
  // @ts-expect-error a label that the type does not have
  await client.from('readers').update({ status: 'AWAY' }).eq('name', 'ada')
  // @ts-expect-error a row without what it must have
  await client.from('parcels').insert({ label: 'a' })
  return { text, second, name }
}
