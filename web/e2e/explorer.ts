/** The page that the service itself serves at `/`. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Page } from "playwright-core";
import { newUser, PASSWORD, type User, visitor } from "./browser.ts";
import { testElsewhere as test } from "./lanes.ts";
import { shoot } from "./shots.ts";
import { run, stackUrl } from "./stack.ts";

async function open(t: TestContext): Promise<Page> {
  const page = await visitor(t, { baseURL: stackUrl });
  await page.goto("/");
  await page.getByText("UpdateName", { exact: true }).waitFor();
  return page;
}

async function signIn(page: Page, { email }: User): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(email).first().waitFor();
}

/** Chooses what to call, by the words on the page. */
async function choose(page: Page, ...words: string[]): Promise<void> {
  for (const word of words) await page.getByText(word, { exact: true }).click();
}

/** Calls, and returns the code and the JSON of the answer. */
async function call(page: Page, request?: object): Promise<{ code: string | null; answer: unknown }> {
  if (request) await page.getByLabel("Request", { exact: true }).fill(JSON.stringify(request));
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator("#result:not([data-state=running])").waitFor();
  const answer: unknown = JSON.parse((await page.locator("#answer").textContent()) ?? "");
  return { code: await page.locator("#code").textContent(), answer };
}

test("the service's page signs in and calls on both wires", async (t) => {
  const page = await open(t);
  await shoot(page, "Explorer");
  await signIn(page, await newUser("Ada Lovelace"));
  assert.match((await page.locator("#ends").textContent()) ?? "", /^ends in (1 h 0 min|59 min \d+ s)$/);

  const onWeb = page.waitForRequest("**/user.v1.UserService/GetName");
  const ada = { code: "OK", answer: { full_name: "Ada Lovelace" } };
  assert.deepEqual(await call(page), ada);
  assert.equal((await onWeb).headers()["content-type"], "application/grpc-web+proto");
  await shoot(page, "Explorer, answered");

  await choose(page, "JSON");
  const inJson = page.waitForRequest("**/name");
  assert.deepEqual(await call(page), ada);
  assert.equal((await inJson).method(), "GET");

  await choose(page, "UpdateName", "gRPC-Web");
  assert.deepEqual(await call(page, { full_name: " Augusta King " }), { code: "OK", answer: { full_name: "Augusta King" } });
  await page.getByRole("tab", { name: "Sent" }).click();
  assert.match((await page.locator("#sent").textContent()) ?? "", /0000 {2}00 00 00 00 10 0a 0e 20 41 75 67/);
});

test("the service's page shows the same error on both wires", async (t) => {
  const page = await open(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await choose(page, "UpdateName");
  const onWeb = await call(page, { full_name: "a\u0007" });
  assert.equal(onWeb.code, "INVALID_ARGUMENT");
  assert.equal(await page.locator("#reason").textContent(), "FIELD_INVALID");
  await choose(page, "JSON");
  assert.deepEqual(await call(page, { full_name: "a\u0007" }), onWeb);
  await shoot(page, "Explorer, refused");

  await page.getByLabel("Request", { exact: true }).fill("{");
  await page.getByText("The request is not valid JSON.").waitFor();
  await choose(page, "gRPC-Web");
  await page.getByLabel("Request", { exact: true }).fill('{"full_name": 1}');
  await page.getByRole("button", { name: "Call" }).click();
  await page.getByText("full_name: expected a string").waitFor();

  await page.getByLabel("Send the token").uncheck();
  assert.equal((await call(page, { full_name: "Ada" })).code, "UNAUTHENTICATED");
  assert.equal(await page.locator("#reason").textContent(), "TOKEN_MISSING");
});

test("the commands of the service's page work as pasted", async (t) => {
  const page = await open(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await choose(page, "UpdateName");
  await page.getByLabel("Request", { exact: true }).fill('{"full_name": "Grace O\'Malley"}');
  await page.getByLabel("Deadline").fill("5000");
  for (const name of ["curl", "grpcurl"]) {
    await page.getByRole("tab", { name, exact: true }).click();
    const command = (await page.locator(`#${name}`).textContent()) ?? "";
    const { stdout } = await run("bash", ["-c", command]);
    assert.match(stdout, /"full_?[nN]ame": ?"Grace O'Malley"/, command.replace(/^TOKEN=.*/, ""));
  }
});

test("the service's page tells when a pasted token has ended", async (t) => {
  const page = await open(t);
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) - 7200;
  const token = `${part({ alg: "ES256", kid: "x" })}.${part({ sub: "ada", exp })}.${part({})}`;
  await page.getByRole("tab", { name: "Paste a token" }).click();
  await page.getByLabel("Access token").fill(`Bearer ${token}`);
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByText("ended 2 h 0 min ago").waitFor();
  assert.equal((await call(page)).code, "UNAUTHENTICATED");
  await shoot(page, "Explorer, a token that has ended");
  await page.getByRole("button", { name: "Forget the token" }).click();
  await page.getByLabel("Access token").waitFor();
});

test("the service's page works by keyboard", async (t) => {
  const page = await open(t);
  await page.getByLabel("E-mail").focus();
  await page.keyboard.type("nobody@example.com");
  await page.keyboard.press("Tab");
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("Invalid login credentials").waitFor();
  await page.getByRole("tab", { name: "Sign in" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByLabel("Access token").waitFor();
  await page.getByRole("radio", { name: /^GetName/ }).focus();
  await page.keyboard.press("ArrowDown");
  await page.getByLabel("Request", { exact: true }).focus();
  assert.match(await page.getByLabel("Request", { exact: true }).inputValue(), /full_name/);
  await page.keyboard.press("Control+Enter");
  await page.getByText("TOKEN_MISSING").first().waitFor();
});
