import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fillIn, newUser, PASSWORD, signIn, visitor } from "./browser.ts";
import { test } from "./lanes.ts";
import { shoot } from "./shots.ts";
import { sql } from "./stack.ts";

test("a stranger is sent to the sign-in page", async (t) => {
  const page = await visitor(t);
  await page.goto("/account");
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  assert.equal(await page.getByRole("status").count(), 0);
  await shoot(page, "Sign in");
});

test("signing in works with the keyboard alone", async (t) => {
  const user = await newUser("Grace Hopper");
  const page = await visitor(t);
  await page.goto("/sign-in");
  await page.getByLabel("E-mail").focus();
  await page.keyboard.type(user.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/account");
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();
});

test("a wrong password is told, and the address kept", async (t) => {
  const user = await newUser();
  const page = await visitor(t);
  await page.goto("/sign-in");
  await fillIn(page, user, "not the password");
  await page.getByRole("alert").filter({ hasText: "E-mail or password is not right." }).waitFor();
  assert.equal(await page.getByLabel("E-mail").inputValue(), user.email);
  await shoot(page, "Wrong password");
});

test("signing up leads to the account, with the name that was given", async (t) => {
  const page = await visitor(t);
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.waitForURL("**/sign-up");
  await shoot(page, "Sign up");
  await page.getByLabel("Full name").fill("Katherine Johnson");
  await page.getByLabel("E-mail").fill(`katherine-${Date.now()}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Show password" }).click();
  assert.equal(await page.getByLabel("Password", { exact: true }).getAttribute("type"), "text");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL("**/account");
  await page.getByRole("heading", { name: "Katherine Johnson" }).waitFor();
});

test("where addresses are confirmed, signing up leads to the inbox, and the link there to the account", async (t) => {
  const email = `${randomUUID().slice(0, 8)}@confirm.example.com`; // the stand-in confirms these
  const page = await visitor(t);
  await page.goto("/sign-up");
  await page.getByLabel("Full name").fill("Katherine Johnson");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "Check your inbox" }).waitFor();
  await page.getByText(email).waitFor();
  await shoot(page, "Check your inbox");
  await page.goto("/account");
  assert.equal(new URL(page.url()).search, "", "there was no session that could have ended");

  await fillIn(page, { email });
  await page.getByRole("alert").filter({ hasText: "Your e-mail address is not confirmed yet." }).waitFor();

  const token = await sql(`select confirmation_token from auth.users where email = '${email}'`);
  await page.goto(`/auth/confirm?token_hash=${token}&type=email`);
  await page.waitForURL("**/account");
  await page.getByRole("heading", { name: "Katherine Johnson" }).waitFor();
});

test("an address that is taken is told", async (t) => {
  const user = await newUser();
  const page = await visitor(t);
  await page.goto("/sign-up");
  await page.getByLabel("E-mail").fill(user.email);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("alert").filter({ hasText: "There is an account with this address already." }).waitFor();
});

test("a confirmation link that is no longer good is told", async (t) => {
  const page = await visitor(t);
  for (const query of ["", "?code=old", "?token_hash=old&type=email"]) {
    await page.goto(`/auth/confirm${query}`);
    await page.getByRole("status").filter({ hasText: "That link has expired" }).waitFor();
  }
});

test("who is signed in does not see the sign-in page, and lands where they were going", async (t) => {
  const user = await newUser();
  const page = await visitor(t);
  await signIn(page, user);
  await page.goto("/sign-in");
  assert.equal(new URL(page.url()).pathname, "/account");
  await page.goto("/");
  assert.equal(new URL(page.url()).pathname, "/account");
});

test("the chosen theme is there from the first paint, without scripts", async (t) => {
  const page = await visitor(t, { colorScheme: "light" });
  await page.goto("/sign-in");
  await page.getByText("dark", { exact: true }).click();
  const background = () => getComputedStyle(document.documentElement).backgroundColor;
  assert.equal(await page.evaluate(background), "rgb(14, 15, 17)");
  await page.waitForFunction(() => document.cookie.includes("theme=dark")); // reading it, it is stored

  const storageState = await page.context().storageState();
  const plain = await visitor(t, { colorScheme: "light", javaScriptEnabled: false, storageState });
  await plain.goto("/sign-in");
  assert.equal(await plain.locator("html").getAttribute("data-theme"), "dark");
});

test("an address that leads nowhere is told", async (t) => {
  const user = await newUser();
  const page = await visitor(t);
  await signIn(page, user);
  const answer = await page.goto("/nowhere");
  assert.equal(answer?.status(), 404);
  await shoot(page, "Not found");
});
