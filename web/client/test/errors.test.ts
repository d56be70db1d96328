import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, fieldViolations, isReason, isUnreachable, reasonOf, retryDelayMs } from "@user-service/client";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.ts";

type Details = NonNullable<ConstructorParameters<typeof ConnectError>[3]>;

function answer(code: Code, reason: string, ...more: Details): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain: "user-service" } };
  return new ConnectError("a sentence", code, undefined, [info, ...more]);
}

test("the reason of an answer is found", () => {
  const error = answer(Code.Unauthenticated, "TOKEN_EXPIRED");
  assert.equal(reasonOf(error), "TOKEN_EXPIRED");
  assert.ok(isReason(error, "TOKEN_EXPIRED"));
  assert.ok(isReason(error, "SESSION_ENDED", "TOKEN_EXPIRED"));
  assert.ok(!isReason(error, "SESSION_ENDED"));
  assert.ok(!isReason(error));
});

test("a reason of another domain is not the service's", () => {
  const info = { desc: ErrorInfoSchema, value: { reason: "TOKEN_EXPIRED", domain: "elsewhere" } };
  assert.equal(reasonOf(new ConnectError("", Code.Unauthenticated, undefined, [info])), undefined);
});

test("what is no answer has no reason, no fields and no delay", () => {
  for (const error of [new Error("x"), new ConnectError("x", Code.Internal), null, undefined, "TOKEN_EXPIRED", {}]) {
    assert.equal(reasonOf(error), undefined);
    assert.ok(!isReason(error, "TOKEN_EXPIRED"));
    assert.deepEqual(fieldViolations(error), []);
    assert.equal(retryDelayMs(error), undefined);
    assert.ok(!isUnreachable(error));
  }
});

test("field violations come as plain objects", () => {
  const violation = { field: "full_name", description: "must not be empty" };
  const details = { desc: BadRequestSchema, value: { fieldViolations: [violation] } };
  const violations = fieldViolations(answer(Code.InvalidArgument, "FIELD_INVALID", details));
  assert.deepEqual(violations, [violation]);
  assert.deepEqual(structuredClone(violations), violations);
});

test("the asked-for delay comes in milliseconds", () => {
  const details = { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } };
  assert.equal(retryDelayMs(answer(Code.Unavailable, "OVERLOADED", details)), 1500);
});

test("an answer of the service is never unreachable, a missing one is", () => {
  assert.ok(!isUnreachable(answer(Code.Unavailable, "DATABASE_UNAVAILABLE")));
  assert.ok(!isUnreachable(answer(Code.DeadlineExceeded, "DEADLINE")));
  assert.ok(isUnreachable(ConnectError.from(new TypeError("Failed to fetch"))));
  assert.ok(isUnreachable(new ConnectError("HTTP 503", Code.Unavailable)));
  assert.ok(isUnreachable(new ConnectError("", Code.DeadlineExceeded)));
  assert.ok(!isUnreachable(new ConnectError("", Code.Canceled)));
});
