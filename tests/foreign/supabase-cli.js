// Tokens by Supabase's own command line, with signing keys that it made: what a developer has who
// works on a project locally.
//
// Reads {"issuer", "subject"} as JSON; prints {"keys", "tokens"}: the JWKs to publish, and for each
// algorithm the tokens by what they are. It signs with published keys only.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';

const program = join(import.meta.dirname, 'node_modules/.bin/supabase');
const given = await json(process.stdin);
const home = await mkdtemp(join(tmpdir(), 'user-service-supabase-'));
const env = { PATH: process.env.PATH, HOME: home, SUPABASE_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };

async function supabase(...options) {
  const running = promisify(execFile)(program, ['gen', ...options, '--workdir', home], { env });
  running.child.stdin.end();
  return (await running).stdout.trim();
}

/** A token by the first of the project's keys. */
function token({ audience = 'authenticated', role = 'authenticated', expires = '1h' }) {
  const payload = JSON.stringify({ iss: given.issuer, aud: audience });
  const options = ['--sub', given.subject, '--role', role, `--valid-for=${expires}`];
  return supabase('bearer-jwt', ...options, '--payload', payload);
}

/** What the project publishes of a key. */
function published({ kty, kid, alg, use, crv, x, y, n, e }) {
  return { kty, kid, alg, use, key_ops: ['verify'], crv, x, y, n, e };
}

try {
  const folder = join(home, 'supabase');
  const file = join(folder, 'signing_keys.json');
  await mkdir(folder);
  await writeFile(
    join(folder, 'config.toml'),
    'project_id = "foreign"\n[auth]\nsigning_keys_path = "./signing_keys.json"\n',
  );
  const keys = [];
  const tokens = {};
  for (const algorithm of ['ES256', 'RS256']) {
    await writeFile(file, '[]');
    await supabase('signing-key', '--algorithm', algorithm, '--yes');
    keys.push(...JSON.parse(await readFile(file, 'utf8')).map(published));
    const [valid, expired, forOthers, serviceRole] = await Promise.all([
      token({}),
      token({ expires: '-5m' }),
      token({ audience: ['others', 'and others'] }),
      token({ role: 'service_role' }),
    ]);
    tokens[algorithm] = { valid, expired, 'for others': forOthers, service_role: serviceRole };
  }
  console.log(JSON.stringify({ keys, tokens }));
} finally {
  await rm(home, { recursive: true });
}
