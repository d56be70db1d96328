import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextValues, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { type BearerOptions, bearer, GetNameRequestSchema, GetNameResponseSchema, UserService } from "@user-service/client";

const { getName } = UserService.method;

function request(signal = new AbortController().signal): UnaryRequest {
  return {
    stream: false,
    service: UserService,
    method: getName,
    requestMethod: "POST",
    url: "http://127.0.0.1/user.v1.UserService/GetName",
    header: new Headers(),
    contextValues: createContextValues(),
    message: create(GetNameRequestSchema),
    signal,
  };
}

/** Sends one call through the interceptor to a `next` that accepts one token, and records what it saw. */
function callsWith(options: BearerOptions, accepted: string | null, refusal = Code.Unauthenticated) {
  const seen: (string | null)[] = [];
  const send = bearer(options)(async (sent) => {
    const authorization = sent.header.get("authorization");
    seen.push(authorization);
    if (authorization !== accepted) throw new ConnectError("refused", refusal);
    const answer: UnaryResponse = {
      stream: false,
      service: UserService,
      method: getName,
      header: new Headers(),
      trailer: new Headers(),
      message: create(GetNameResponseSchema, { fullName: "Ada Lovelace" }),
    };
    return answer;
  });
  return { seen, send: (signal?: AbortSignal) => send(request(signal)) };
}

const isRefused = (code: Code) => (error: unknown) => error instanceof ConnectError && error.code === code;

test("the token is asked for before every call and sent as Bearer", async () => {
  let count = 0;
  const { seen, send } = callsWith({ getToken: () => `t${++count}` }, "Bearer t2");
  await assert.rejects(send(), isRefused(Code.Unauthenticated));
  await send();
  assert.deepEqual(seen, ["Bearer t1", "Bearer t2"]);
});

test("without a token no authorization header is sent", async () => {
  for (const nothing of [undefined, null, ""]) {
    const { seen, send } = callsWith({ getToken: () => nothing }, null);
    await send();
    assert.deepEqual(seen, [null]);
  }
});

test("a refused token is refreshed once and the call repeated once", async () => {
  const { seen, send } = callsWith({ getToken: () => "old", refreshToken: async () => "new" }, "Bearer new");
  await send();
  assert.deepEqual(seen, ["Bearer old", "Bearer new"]);
});

test("a call that is refused again is not repeated again", async () => {
  let refreshes = 0;
  const { seen, send } = callsWith({ getToken: () => "old", refreshToken: () => `new${++refreshes}` }, "Bearer never");
  await assert.rejects(send(), isRefused(Code.Unauthenticated));
  assert.deepEqual(seen, ["Bearer old", "Bearer new1"]);
});

test("when the session is over the call fails as the service answered it", async () => {
  for (const over of [undefined, null, "old"]) {
    const { seen, send } = callsWith({ getToken: () => "old", refreshToken: () => over }, "Bearer never");
    await assert.rejects(send(), isRefused(Code.Unauthenticated));
    assert.equal(seen.length, 1);
  }
});

test("a refresh that cannot be made is what the caller hears of", async () => {
  const offline = () => Promise.reject(new TypeError("Failed to fetch"));
  const { send } = callsWith({ getToken: () => "old", refreshToken: offline }, "Bearer never");
  await assert.rejects(send(), TypeError);
});

test("no other error is repeated", async () => {
  for (const code of [Code.PermissionDenied, Code.Unavailable, Code.DeadlineExceeded, Code.Internal, Code.Unknown]) {
    let refreshes = 0;
    const { seen, send } = callsWith({ getToken: () => "t", refreshToken: () => `${++refreshes}` }, "Bearer never", code);
    await assert.rejects(send(), isRefused(code));
    assert.equal(seen.length, 1);
    assert.equal(refreshes, 0);
  }
});

test("calls that are refused together share one refresh", async () => {
  let token = "old";
  let refreshes = 0;
  const refreshToken = async () => {
    refreshes += 1;
    await new Promise(setImmediate);
    token = "new";
    return token;
  };
  const { seen, send } = callsWith({ getToken: () => token, refreshToken }, "Bearer new");
  await Promise.all([send(), send(), send()]);
  assert.equal(refreshes, 1);
  assert.equal(seen.length, 6);
});

test("a call that was refused with a token since replaced takes the new one without a refresh", async () => {
  const tokens = ["old", "new"];
  const { seen, send } = callsWith({ getToken: () => tokens.shift(), refreshToken: () => assert.fail() }, "Bearer new");
  await send();
  assert.deepEqual(seen, ["Bearer old", "Bearer new"]);
});

test("aborting does not wait for the token or for the refresh", async () => {
  const forever = () => new Promise<string>(() => {});
  const reason = new Error("left the page");
  for (const options of [{ getToken: forever }, { getToken: () => "old", refreshToken: forever }]) {
    const { send } = callsWith(options, "Bearer never");
    const controller = new AbortController();
    const call = send(controller.signal);
    setImmediate(() => controller.abort(reason));
    await assert.rejects(call, reason);
  }
  await assert.rejects(callsWith({}, null).send(AbortSignal.abort(reason)), reason);
});
