/** The client package in Node, as a server would use it, against the real service. */
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import { Code, ConnectError, createUserServiceClient, fieldViolations, isReason, isUnreachable } from "@user-service/client";
import { newUser, PASSWORD, supabaseKey, supabaseUrl } from "./browser.ts";
import { test, testAlone } from "./lanes.ts";
import { service, serviceUrl } from "./stack.ts";

async function session(fullName?: string) {
  const supabase = createClient(supabaseUrl, supabaseKey, { auth: { persistSession: false } });
  const { email } = await newUser(fullName);
  const { data, error } = await supabase.auth.signInWithPassword({ email, password: PASSWORD });
  assert.ifError(error);
  assert.ok(data.session);
  return data.session;
}

const failsWith = (code: Code) => (error: unknown) => error instanceof ConnectError && error.code === code;

test("Node reads and changes the name with a session's token", async () => {
  const { access_token } = await session("Ada Byron");
  const client = createUserServiceClient({ baseUrl: serviceUrl, getToken: () => access_token });
  assert.equal((await client.getName({})).fullName, "Ada Byron");
  assert.equal((await client.updateName({ fullName: " Ada Lovelace " })).fullName, "Ada Lovelace");
  assert.equal((await client.getName({})).fullName, "Ada Lovelace");
});

test("a name that is none yet is absent", async () => {
  const { access_token } = await session();
  const client = createUserServiceClient({ baseUrl: serviceUrl, getToken: () => access_token });
  assert.equal((await client.getName({})).fullName, undefined);
});

test("reasons and field violations arrive as types", async () => {
  const { access_token } = await session();
  const stranger = createUserServiceClient({ baseUrl: serviceUrl });
  await assert.rejects(stranger.getName({}), (error) => isReason(error, "TOKEN_MISSING"));
  const lost = createUserServiceClient({ baseUrl: serviceUrl, getToken: () => "undefined" });
  await assert.rejects(lost.getName({}), (error) => isReason(error, "TOKEN_PLACEHOLDER"));

  const client = createUserServiceClient({ baseUrl: serviceUrl, getToken: () => access_token });
  await assert.rejects(client.updateName({ fullName: "" }), (error) => {
    assert.ok(isReason(error, "FIELD_INVALID"));
    assert.deepEqual(fieldViolations(error).map(({ field }) => field), ["full_name"]);
    return true;
  });
});

test("a refused token is refreshed once, for all calls that it was refused to", async () => {
  const { access_token } = await session("Ada Lovelace");
  let token = "not.a.token";
  let refreshes = 0;
  const client = createUserServiceClient({
    baseUrl: serviceUrl,
    getToken: () => token,
    refreshToken: async () => {
      refreshes += 1;
      token = access_token;
      return token;
    },
  });
  const answers = await Promise.all([client.getName({}), client.getName({}), client.getName({})]);
  assert.deepEqual(answers.map(({ fullName }) => fullName), Array(3).fill("Ada Lovelace"));
  assert.equal(refreshes, 1);
});

testAlone("a deadline and an abort end a call that the service does not answer", async () => {
  const { access_token } = await session();
  const client = createUserServiceClient({ baseUrl: serviceUrl, getToken: () => access_token });
  service.pause();
  try {
    await assert.rejects(client.getName({}, { timeoutMs: 50 }), failsWith(Code.DeadlineExceeded));
    await assert.rejects(client.getName({}, { signal: AbortSignal.timeout(50) }), failsWith(Code.Canceled));
  } finally {
    service.resume();
  }
});

testAlone("a service that is down is unreachable, which is no answer", async () => {
  const client = createUserServiceClient({ baseUrl: serviceUrl });
  await service.stop();
  try {
    await assert.rejects(client.getName({}), isUnreachable);
  } finally {
    await service.start();
  }
});
