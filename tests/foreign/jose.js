// Tokens by jose, as its documentation shows how to make them.
//
// Reads {"secret", "issuer", "subject"} as JSON; prints {"keys", "tokens"}: the JWKs to publish, and
// for each algorithm the tokens by what they are.

import { json } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const given = await json(process.stdin);

function tokens(alg, key, kid) {
  const sign = ({ audience = 'authenticated', role = 'authenticated', expires = '1h' }) =>
    new SignJWT({ role, email: 'ada@example.com', user_metadata: { 'Ünïcode 🦋': [1.5, null] } })
      .setProtectedHeader({ alg, kid, typ: 'JWT' })
      .setIssuer(given.issuer)
      .setSubject(given.subject)
      .setAudience(audience)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(expires)
      .sign(key);
  return {
    valid: sign({}),
    expired: sign({ expires: '-5m' }),
    'for others': sign({ audience: ['others', 'and others'] }),
    service_role: sign({ role: 'service_role' }),
  };
}

const secret = new TextEncoder().encode(given.secret);
const made = { HS256: tokens('HS256', secret) };
const keys = [];
for (const alg of ['ES256', 'RS256', 'EdDSA']) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const kid = `a key for ${alg}`;
  keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
  made[alg] = tokens(alg, privateKey, kid);
}
for (const kinds of Object.values(made)) {
  for (const kind of Object.keys(kinds)) kinds[kind] = await kinds[kind];
}
console.log(JSON.stringify({ keys, tokens: made }));
