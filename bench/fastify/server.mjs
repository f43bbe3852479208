// A server as one would write it by hand: Fastify and pg, as many processes as cores. Each request is a transaction in which the opening
// statement says who asks, as ours does it, and one row is read; PostgreSQL's own words become JSON here. It verifies no token.
// OPENING and VALUES are files: the opening statement, and its values, a line each: number, tab, value. SOCKET is PostgreSQL's folder.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import Fastify from 'fastify';
import pg from 'pg';

const { OPENING, VALUES, PORT, POOL_SIZE } = process.env;
const processes = availableParallelism();
const ROW = 'select id, display_name, email from public.customers where company_id = $1 and id = $2';

async function serve() {
  const opening = readFileSync(OPENING, 'utf8');
  const values = [];
  for (const line of readFileSync(VALUES, 'utf8').split('\n').filter(Boolean)) {
    const [number, value] = line.split('\t');
    values[Number(number) - 1] = value === 'NULL' ? null : value;
  }
  const pool = new pg.Pool({ max: Math.max(1, Math.ceil(Number(POOL_SIZE) / processes)) });
  const app = Fastify();
  app.get('/customers/:id', async (request, reply) => {
    const client = await pool.connect();
    try {
      await client.query('begin read only');
      const opened = await client.query({ name: 'opening', text: opening, values });
      const found = await client.query({ name: 'row', text: ROW, values: [opened.rows[0].company_id, request.params.id] });
      await client.query('commit');
      return found.rows;
    } catch (error) {
      await client.query('rollback');
      reply.code(500);
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
