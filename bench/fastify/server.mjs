// A server as one would write it by hand: Fastify, its plugin for tokens, and pg; as many processes as cores share the same number of
// connections as ours has. It keeps companies apart as ours does, and no worse: the token is verified (what was verified is remembered, as
// here), each request is a transaction whose opening statement reads session and member and sets role, claims and company for it, so that
// whoever was removed is refused at the next request, and one row is read behind the policies, by prepared statements.
// OPENING and VALUES are files: the opening statement as our server sends it, and its values, a line each: number, tab, value; who asks is
// put in from the token. JWKS is the address of the keys, PORT where it listens, POOL_SIZE how many connections; PostgreSQL is where PG... says.
import cluster from 'node:cluster';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import jwt from '@fastify/jwt';
import Fastify from 'fastify';
import pg from 'pg';

const { OPENING, VALUES, JWKS, PORT, POOL_SIZE } = process.env;
const processes = availableParallelism();
const ROW = 'select id, display_name, email from public.customers where company_id = $1 and id = $2';

/** What a request says of itself goes to these places of the opening statement, counted from 0. */
const USER = 1;
const SESSION = 2;
const CLAIMS = 4;

function fixed() {
  const values = [];
  for (const line of readFileSync(VALUES, 'utf8').split('\n').filter(Boolean)) {
    const [number, value] = line.split('\t');
    values[Number(number) - 1] = value === 'NULL' ? null : value;
  }
  return values;
}

async function serve() {
  const opening = readFileSync(OPENING, 'utf8');
  const values = fixed();
  const [key] = (await (await fetch(JWKS)).json()).keys;
  const pem = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const pool = new pg.Pool({ max: Math.max(1, Math.ceil(Number(POOL_SIZE) / processes)) });
  const app = Fastify();
  await app.register(jwt, { secret: { public: pem }, verify: { algorithms: ['ES256'], cache: true } });

  app.get('/customers/:id', { onRequest: (request) => request.jwtVerify() }, async (request, reply) => {
    const who = [...values];
    who[USER] = request.user.sub;
    who[SESSION] = request.user.session_id;
    who[CLAIMS] = JSON.stringify(request.user);
    const client = await pool.connect();
    try {
      await client.query('begin read only');
      const opened = await client.query({ name: 'opening', text: opening, values: who });
      const found = await client.query({ name: 'row', text: ROW, values: [opened.rows[0].company_id, request.params.id] });
      await client.query('commit');
      return found.rows;
    } catch (error) {
      await client.query('rollback');
      reply.code(error.code === 'TH401' ? 401 : error.code === 'TH403' ? 403 : 500);
      return { message: error.message };
    } finally {
      client.release();
    }
  });
  await app.listen({ host: '127.0.0.1', port: Number(PORT) });
  process.send('ready');
}

if (cluster.isPrimary) {
  let ready = 0;
  for (let count = 0; count < processes; count += 1) {
    cluster.fork().on('message', () => {
      ready += 1;
      if (ready === processes) console.log('ready');
    });
  }
} else {
  await serve();
}
