// Everything the client can say of a read, on the library of clients/project: what is asked, and the rows that must come.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, visitor } from './house.mjs'

const library = visitor()
const readers = (columns = 'name', options) => library.from('readers').select(columns, options)
const names = async (query) => done(await query.order('name')).map(({ name }) => name)

const filters = [
  ['eq', (q) => q.eq('name', 'ada'), ['ada']],
  ['neq', (q) => q.neq('name', 'ada'), ['ben', 'cleo', 'dan%']],
  ['gt', (q) => q.gt('fine', 0), ['ada', 'dan%']],
  ['gte', (q) => q.gte('fine', 0), ['ada', 'ben', 'dan%']],
  ['lt', (q) => q.lt('fine', 1.5), ['ben']],
  ['lte', (q) => q.lte('fine', 1.5), ['ada', 'ben']],
  ['two on a column', (q) => q.gt('fine', 0).lt('fine', 10), ['ada']],
  ['a time', (q) => q.gte('joined', '2026-02-05T12:00:00+02:00'), ['ben', 'cleo']],
  ['like', (q) => q.like('name', '%e%'), ['ben', 'cleo']],
  ['like with an escape', (q) => q.like('name', '%\\%'), ['dan%']],
  ['ilike', (q) => q.ilike('name', '%A%'), ['ada', 'dan%']],
  ['likeAllOf', (q) => q.likeAllOf('name', ['%e%', '%o']), ['cleo']],
  ['likeAnyOf', (q) => q.likeAnyOf('name', ['a%', 'b%']), ['ada', 'ben']],
  ['ilikeAllOf', (q) => q.ilikeAllOf('name', ['A%', '%A']), ['ada']],
  ['ilikeAnyOf', (q) => q.ilikeAnyOf('name', ['A%', '%N']), ['ada', 'ben']],
  ['regexMatch', (q) => q.regexMatch('name', '^[ab]'), ['ada', 'ben']],
  ['regexIMatch', (q) => q.regexIMatch('name', '^[CD]'), ['cleo', 'dan%']],
  ['is null', (q) => q.is('trusted', null), ['cleo']],
  ['is true', (q) => q.is('trusted', true), ['ada', 'dan%']],
  ['isDistinct', (q) => q.isDistinct('status', 'ONLINE'), ['ben', 'dan%']],
  ['in', (q) => q.in('name', ['ada', 'dan%', 'a, b (c)']), ['ada', 'dan%']],
  ['in nothing', (q) => q.in('name', []), []],
  ['notIn', (q) => q.notIn('name', ['ada', 'ben']), ['cleo', 'dan%']],
  ['contains, array', (q) => q.contains('languages', ['fr']), ['ada', 'dan%']],
  ['contains, json', (q) => q.contains('data', { city: 'Rome' }), ['dan%']],
  ['contains, range', (q) => q.contains('age_range', '[1,2)'), ['ada']],
  ['containedBy, array', (q) => q.containedBy('languages', ['en', 'fr']), ['ada', 'ben', 'cleo']],
  ['containedBy, json', (q) => q.containedBy('data', { city: 'Paris', level: 1 }), ['ben']],
  ['containedBy, range', (q) => q.containedBy('age_range', '[1,25)'), ['ada', 'ben']],
  ['rangeGt', (q) => q.rangeGt('age_range', '[2,25)'), ['dan%']],
  ['rangeGte', (q) => q.rangeGte('age_range', '[10,15)'), ['ben', 'cleo', 'dan%']],
  ['rangeLt', (q) => q.rangeLt('age_range', '[20,25)'), ['ada', 'ben']],
  ['rangeLte', (q) => q.rangeLte('age_range', '[5,20)'), ['ada', 'ben']],
  ['rangeAdjacent', (q) => q.rangeAdjacent('age_range', '[10,20)'), ['ada', 'cleo']],
  ['overlaps, array', (q) => q.overlaps('languages', ['en', 'it']), ['ada', 'ben', 'dan%']],
  ['overlaps, range', (q) => q.overlaps('age_range', '[5,12)'), ['ada', 'ben']],
  ['textSearch', (q) => q.textSearch('motto', "'fat' & 'cat'", { config: 'english' }), ['ada']],
  ['textSearch, plain', (q) => q.textSearch('motto', 'rats fat', { type: 'plain', config: 'english' }), ['ada']],
  ['textSearch, phrase', (q) => q.textSearch('motto', 'cat jumps', { type: 'phrase', config: 'english' }), ['cleo']],
  ['textSearch, websearch', (q) => q.textSearch('motto', 'cat -fat', { type: 'websearch', config: 'english' }), ['cleo']],
  ['textSearch in a text', (q) => q.textSearch('name', 'cleo or ben', { type: 'websearch' }), ['ben', 'cleo']],
  ['match', (q) => q.match({ status: 'ONLINE', trusted: true }), ['ada']],
  ['not eq', (q) => q.not('name', 'eq', 'ada'), ['ben', 'cleo', 'dan%']],
  ['not is', (q) => q.not('trusted', 'is', null), ['ada', 'ben', 'dan%']],
  ['not in', (q) => q.not('name', 'in', '(ada,"dan%")'), ['ben', 'cleo']],
  ['not contains', (q) => q.not('languages', 'cs', '{en}'), ['cleo', 'dan%']],
  ['or', (q) => q.or('name.eq.ada,status.is.null'), ['ada', 'dan%']],
  ['or, and inside', (q) => q.or('and(status.eq.ONLINE,trusted.is.true),fine.gt.20'), ['ada', 'dan%']],
  ['or, not inside', (q) => q.or('not.and(name.neq.ada,name.neq.ben),name.in.("dan%",x)'), ['ada', 'ben', 'dan%']],
  ['or, lists and arrays inside', (q) => q.or('name.in.("cleo","a,b"),languages.cs.{de,it}'), ['cleo', 'dan%']],
  ['two or', (q) => q.or('name.eq.ada,name.eq.ben').or('fine.eq.0,fine.eq.20.25'), ['ben']],
  ['filter', (q) => q.filter('name', 'in', '("ada","ben")'), ['ada', 'ben']],
  ['filter, any', (q) => q.filter('fine', 'gt(any)', '{1,100}'), ['ada', 'dan%']],
  ['json text', (q) => q.eq('data->>city', 'Paris'), ['ben']],
  ['json number', (q) => q.gt('data->level', 2), ['ada']],
  ['json path', (q) => q.eq('data->pets->>-1', 'owl'), ['ada']],
  ['computed column', (q) => q.eq('initial', 'b'), ['ben']],
]
for (const [name, asked, expected] of filters) {
  test(`filter: ${name}`, async () => assert.deepEqual(await names(asked(readers())), expected))
}

test('columns, names, casts and paths', async () => {
  const row = done(await readers('who:name, fine::text, data->>city, pet:data->pets->0, age_range, languages, joined, initial').eq('name', 'ada').single())
  assert.deepEqual(row, {
    who: 'ada', fine: '1.50', city: 'London', pet: 'cat', age_range: '[1,10)', languages: ['en', 'fr'], joined: '2026-01-05T10:00:00+00:00', initial: 'a',
  })
  const all = done(await readers('*').eq('name', 'ben').single())
  assert.deepEqual(all, {
    name: 'ben', data: { city: 'Paris' }, age_range: '[10,20)', status: 'OFFLINE', motto: "'bat':1 'sleep':2", languages: ['en'], trusted: false, fine: 0,
    joined: '2026-02-05T10:00:00+00:00',
  })
  assert.deepEqual(done(await readers('name, data, fine').eq('name', 'cleo').stripNulls()), [{ name: 'cleo' }])
  assert.deepEqual(done(await readers('name, data').eq('name', 'cleo').single().stripNulls()), { name: 'cleo' })
})

test('names with everything that has a meaning in a query', async () => {
  const odd = () => library.from('odd names')
  const one = { Id: 1, 'a, (b). c': 'one, (two). three' }
  assert.deepEqual(done(await odd().select('Id, "a, (b). c"').eq('"a, (b). c"', 'one, (two). three')), [one])
  assert.deepEqual(done(await odd().select('Id, "a, (b). c"').in('"a, (b). c"', ['one, (two). three', 'x'])), [one])
  assert.deepEqual(done(await odd().select('Id').or('"a, (b). c".eq."one, (two). three","Id".eq.7')), [{ Id: 1 }])
  assert.deepEqual(done(await odd().select('Id').or('"a, (b). c".eq."with \\"quotes\\" and \\\\"')), [{ Id: 2 }])
  assert.deepEqual(done(await odd().select('q:"quo\\"te"').order('"quo\\"te"', { ascending: false })), [{ q: 6 }, { q: 5 }])
})

test('order', async () => {
  const ordered = async (query) => done(await query).map(({ name }) => name)
  assert.deepEqual(await ordered(readers().order('fine', { nullsFirst: true })), ['cleo', 'ben', 'ada', 'dan%'])
  assert.deepEqual(await ordered(readers().order('fine', { ascending: false, nullsFirst: false })), ['dan%', 'ada', 'ben', 'cleo'])
  assert.deepEqual(await ordered(readers().order('status').order('name', { ascending: false })), ['cleo', 'ada', 'ben', 'dan%'])
  assert.deepEqual(await ordered(readers().order('data->>city').order('name')), ['ada', 'ben', 'dan%', 'cleo'])
  assert.deepEqual(await ordered(readers().order('initial', { ascending: false })), ['dan%', 'cleo', 'ben', 'ada'])
})

test('limit, range and counts', async () => {
  assert.deepEqual(done(await readers().order('name').limit(2)), [{ name: 'ada' }, { name: 'ben' }])
  const part = await readers('name', { count: 'exact' }).order('name').range(1, 2)
  assert.deepEqual([part.status, part.count, part.data], [206, 4, [{ name: 'ben' }, { name: 'cleo' }]])
  const whole = await readers('name', { count: 'exact' }).order('name').range(0, 9)
  assert.deepEqual([whole.status, whole.count, whole.data.length], [200, 4, 4])
  const uncounted = await readers('name').order('name').range(3, 9)
  assert.deepEqual([uncounted.status, uncounted.count, uncounted.data], [200, null, [{ name: 'dan%' }]])
  const head = await readers('*', { count: 'exact', head: true }).eq('status', 'ONLINE')
  assert.deepEqual([head.status, head.count, head.data, head.error], [200, 2, null, null])
  const planned = await readers('name', { count: 'planned' })
  assert.ok(Number.isInteger(planned.count) && planned.count > 0, JSON.stringify(planned))
  assert.equal((await readers('name', { count: 'estimated' })).count, 4)
  const behind = await readers('name', { count: 'exact' }).range(10, 12)
  assert.deepEqual([behind.status, behind.error.code, behind.error.details], [416, 'PGRST103', 'An offset of 10 was requested, but there are only 4 rows.'])
  const headBehind = await readers('name', { count: 'exact', head: true }).range(10, 12)
  assert.equal(headBehind.status, 416)
  assert.deepEqual(done(await readers().limit(0)), [])
})

test('one row', async () => {
  assert.deepEqual(done(await readers().eq('name', 'ada').single()), { name: 'ada' })
  const none = await readers().eq('name', 'nobody').single()
  assert.deepEqual([none.status, none.statusText], [406, 'Not Acceptable'])
  assert.deepEqual(none.error, {
    code: 'PGRST116', details: 'The result contains 0 rows', hint: null, message: 'Cannot coerce the result to a single JSON object',
  })
  const several = await readers().eq('status', 'ONLINE').single()
  assert.deepEqual([several.error.code, several.error.details], ['PGRST116', 'The result contains 2 rows'])
  const perhaps = await readers().eq('name', 'nobody').maybeSingle()
  assert.deepEqual([perhaps.status, perhaps.data, perhaps.error], [200, null, null])
  assert.deepEqual(done(await readers().eq('name', 'ada').maybeSingle()), { name: 'ada' })
  assert.equal((await readers().eq('status', 'ONLINE').maybeSingle()).error.code, 'PGRST116')
})

test('other forms', async () => {
  const text = done(await readers('name, fine, languages').in('name', ['ada', 'cleo']).order('name').csv())
  assert.equal(text, 'name,fine,languages\nada,1.50,"{en,fr}"\ncleo,,{}')
  assert.match(done(await readers().explain()), /Scan on readers/)
  const [{ Plan: plan }] = done(await readers().explain({ format: 'json', analyze: true, verbose: true }))
  assert.equal(typeof plan['Actual Rows'], 'number')
})

test('another schema', async () => {
  assert.deepEqual(done(await library.schema('archive').from('readers').select()), [{ name: 'zoe', left_in: 1999 }])
  const closed = await library.schema('auth').from('users').select()
  assert.deepEqual([closed.status, closed.error.code, closed.error.message], [406, 'PGRST106', 'Invalid schema: auth'])
})

test('a view shows what it shows', async () => {
  assert.deepEqual(done(await library.from('trusted_readers').select('*').order('name')), [{ name: 'ada', status: 'ONLINE' }, { name: 'dan%', status: null }])
})
