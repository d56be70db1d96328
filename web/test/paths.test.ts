import assert from "node:assert/strict";
import { test } from "node:test";
import { HOME, nextPath, signInPath } from "../lib/paths.ts";

test("the sign-in page leads back to paths of this site only", () => {
  assert.equal(nextPath("/account?tab=1"), "/account?tab=1");
  for (const elsewhere of [
    "https://evil.example/account",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/%2e%2e//evil.example",
    "/a/..//evil.example",
    "javascript:alert(1)",
    "account",
    "",
    undefined,
    ["/a", "/b"],
  ]) {
    assert.equal(nextPath(elsewhere), HOME, String(elsewhere));
  }
});

test("the way to the sign-in page carries what is needed and no more", () => {
  assert.equal(signInPath(), "/sign-in");
  assert.equal(signInPath("ended"), "/sign-in?reason=ended");
  assert.equal(signInPath(undefined, "/a?b=c"), "/sign-in?next=%2Fa%3Fb%3Dc");
});
