// Real supabase-js against the Auth stand-in: what it signs up, in and out with must work.
// The stand-in is the built program `dev` (DEV_PROGRAM names another).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient } from "@supabase/supabase-js";

const built = fileURLToPath(new URL("../../../target/debug/dev", import.meta.url));
// What supabase-js makes of the code session_not_found.
const ENDED = "AuthSessionMissingError";
let program;
let url;

before(async () => {
  program = spawn(process.env.DEV_PROGRAM ?? built, ["auth"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: program.stdout }), "line");
  url = line.replace("SUPABASE_URL=", "");
});

after(async () => {
  program.stdin.end();
  await once(program, "exit");
});

const client = () =>
  createClient(url, "sb_publishable_dev", {
    auth: { autoRefreshToken: false, persistSession: true, storage: memory() },
  });

// Each client is a browser of its own.
function memory() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

let count = 0;
const credentials = () => ({ email: `user${++count}@example.com`, password: "password" });

const code = ({ error }) => [error.status, error.code];

async function signedUp(data = {}) {
  const supabase = client();
  const { email, password } = credentials();
  const answer = await supabase.auth.signUp({ email, password, options: { data } });
  assert.equal(answer.error, null);
  return { supabase, email, password, session: answer.data.session };
}

test("sign-up gives a session and keeps the user's data", async () => {
  const { session, email } = await signedUp({ full_name: "Ada Lovelace" });
  assert.equal(session.token_type, "bearer");
  assert.equal(session.expires_in, 3600);
  assert.equal(session.user.email, email);
  assert.equal(session.user.is_anonymous, false);
  assert.equal(session.user.user_metadata.full_name, "Ada Lovelace");
  assert.equal(session.user.identities[0].provider, "email");
  assert.ok(!Number.isNaN(Date.parse(session.user.created_at)));
});

test("at confirm.example.com there is no session before the link in the e-mail is opened", async () => {
  const { auth } = client();
  const credentials = { email: "ada@confirm.example.com", password: "password" };
  const { data, error } = await auth.signUp(credentials);
  assert.equal(error, null);
  assert.equal(data.session, null);
  assert.equal(data.user.email, credentials.email);
  assert.ok(data.user.confirmation_sent_at && !data.user.email_confirmed_at);
  assert.deepEqual(code(await auth.signInWithPassword(credentials)), [400, "email_not_confirmed"]);
  for (const token_hash of ["", "old"]) {
    assert.deepEqual(code(await auth.verifyOtp({ token_hash, type: "email" })), [403, "otp_expired"]);
  }
});

test("sign-in takes the right password, whatever the case of the address", async () => {
  const { email, password } = await signedUp();
  const supabase = client();
  const answer = await supabase.auth.signInWithPassword({
    email: email.toUpperCase(),
    password,
  });
  assert.equal(answer.error, null);
  assert.equal(answer.data.user.email, email);
});

test("refusals have Supabase's codes", async () => {
  const { email, password } = await signedUp();
  const { auth } = client();
  assert.deepEqual(code(await auth.signInWithPassword({ email, password: "other word" })), [
    400,
    "invalid_credentials",
  ]);
  assert.deepEqual(code(await auth.signUp({ email, password })), [422, "user_already_exists"]);
  assert.deepEqual(code(await auth.signUp({ email: "none", password })), [
    400,
    "validation_failed",
  ]);
  const weak = await auth.signUp({ email: credentials().email, password: "short" });
  assert.deepEqual(code(weak), [422, "weak_password"]);
  assert.deepEqual(weak.error.reasons, ["length"]);
  assert.deepEqual(code(await auth.refreshSession({ refresh_token: "unknown" })), [
    400,
    "refresh_token_not_found",
  ]);
  assert.deepEqual(code(await auth.getUser("a.b.c")), [403, "bad_jwt"]);
});

test("getUser asks the server", async () => {
  const { supabase, email } = await signedUp();
  const { data, error } = await supabase.auth.getUser();
  assert.equal(error, null);
  assert.equal(data.user.email, email);
});

test("getClaims verifies the token through the published keys", async () => {
  const { supabase, session } = await signedUp();
  const { data, error } = await supabase.auth.getClaims();
  assert.equal(error, null);
  assert.equal(data.header.alg, "ES256");
  const { claims } = data;
  assert.equal(claims.iss, `${url}/auth/v1`);
  assert.equal(claims.aud, "authenticated");
  assert.equal(claims.role, "authenticated");
  assert.equal(claims.sub, session.user.id);
  assert.equal(claims.aal, "aal1");
  assert.equal(claims.amr[0].method, "password");
  assert.equal(claims.is_anonymous, false);
  assert.match(claims.session_id, /^[0-9a-f-]{36}$/);
  assert.equal(claims.exp - claims.iat, 3600);

  const [header, payload, signature] = session.access_token.split(".");
  const forged = { ...JSON.parse(Buffer.from(payload, "base64url")), sub: crypto.randomUUID() };
  const body = Buffer.from(JSON.stringify(forged)).toString("base64url");
  const answer = await supabase.auth.getClaims(`${header}.${body}.${signature}`);
  assert.notEqual(answer.error, null);
});

test("a refresh keeps the session and changes its tokens", async () => {
  const { supabase, session } = await signedUp();
  const { data, error } = await supabase.auth.refreshSession();
  assert.equal(error, null);
  assert.notEqual(data.session.refresh_token, session.refresh_token);
  const id = async (token) => (await supabase.auth.getClaims(token)).data.claims.session_id;
  assert.equal(await id(data.session.access_token), await id(session.access_token));
});

test("two refreshes with one token at once both get a session", async () => {
  const { session } = await signedUp();
  const { refresh_token } = session;
  const answers = await Promise.all(
    [client(), client(), client()].map(({ auth }) => auth.refreshSession({ refresh_token })),
  );
  assert.deepEqual(answers.map(({ error }) => error), [null, null, null]);
  const tokens = new Set(answers.map(({ data }) => data.session.refresh_token));
  assert.equal(tokens.size, 1);
});

test("sign-out ends the session for the server too", async () => {
  const { supabase, session } = await signedUp();
  assert.equal((await supabase.auth.signOut()).error, null);
  assert.equal((await supabase.auth.getSession()).data.session, null);
  const { auth } = client();
  assert.equal((await auth.getUser(session.access_token)).error.name, ENDED);
  const refresh = await auth.refreshSession({ refresh_token: session.refresh_token });
  assert.equal(refresh.error.code, "refresh_token_not_found");
});

test("sign-out of the others leaves this session, a local one leaves the others", async () => {
  const { supabase, email, password } = await signedUp();
  const other = client();
  await other.auth.signInWithPassword({ email, password });
  assert.equal((await supabase.auth.signOut({ scope: "others" })).error, null);
  assert.equal((await supabase.auth.getUser()).error, null);
  assert.equal((await other.auth.getUser()).error.name, ENDED);

  const third = client();
  await third.auth.signInWithPassword({ email, password });
  assert.equal((await third.auth.signOut({ scope: "local" })).error, null);
  assert.equal((await supabase.auth.getUser()).error, null);
});

test("an anonymous user has a session and says so", async () => {
  const supabase = client();
  const { data, error } = await supabase.auth.signInAnonymously();
  assert.equal(error, null);
  assert.equal(data.user.is_anonymous, true);
  const { claims } = (await supabase.auth.getClaims()).data;
  assert.equal(claims.is_anonymous, true);
  assert.equal(claims.role, "authenticated");
  assert.equal(claims.amr[0].method, "anonymous");
});

test("a browser may call from any origin with the headers that supabase-js sends", async () => {
  const asked = "apikey,authorization,x-client-info,x-supabase-api-version";
  const response = await fetch(`${url}/auth/v1/token?grant_type=password`, {
    method: "OPTIONS",
    headers: {
      origin: "http://localhost:3000",
      "access-control-request-method": "POST",
      "access-control-request-headers": asked,
    },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("access-control-allow-origin"), "http://localhost:3000");
  assert.equal(response.headers.get("access-control-allow-headers"), asked);
});
