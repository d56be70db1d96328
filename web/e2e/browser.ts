import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { combineChunks, createChunks, createServerClient, stringFromBase64URL, stringToBase64URL } from "@supabase/ssr";
import { createClient } from "@supabase/supabase-js";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { placeOf } from "./lanes.ts";
import { pageUrl, serviceUrl } from "./stack.ts";

export const supabaseUrl = process.env["NEXT_PUBLIC_SUPABASE_URL"] ?? "";
export const supabaseKey = process.env["NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY"] ?? "";
export const PASSWORD = "correct horse";
const SESSION_COOKIE = /^(sb-.+-auth-token)(\.\d+)?$/;

let browser: Browser;
const places = new WeakMap<BrowserContext, number>();

/** Where the test of this page stands among all. */
export function placeOfTest(page: Page): number {
  return places.get(page.context()) ?? -1;
}

export async function launch(): Promise<void> {
  browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Opens an empty page that is no visitor's. */
export function openSheet(): Promise<Page> {
  return browser.newPage();
}

export async function close(): Promise<void> {
  await browser?.close();
}

/** Runs in every page: complains when one leaves while a cookie that it wrote may not be stored yet. */
function watchCookies(): void {
  const { get, set } = Object.getOwnPropertyDescriptor(Document.prototype, "cookie") ?? {};
  let unsettled = false;
  Object.defineProperty(Document.prototype, "cookie", {
    get() {
      unsettled = false;
      return get?.call(this);
    },
    set(cookie) {
      unsettled = true;
      set?.call(this, cookie);
    },
  });
  navigation.addEventListener("navigate", ({ destination }) => {
    if (unsettled && !destination.sameDocument) console.error(`left for ${destination.url} with unsettled cookies`);
  });
}

/**
 * Opens a fresh browser profile. When the test ends it must not have called anything but the page,
 * the service and the project, nor thrown an error, nor broken the content security policy, nor left
 * a page before its cookies were stored.
 */
export async function visitor(t: TestContext, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: pageUrl, viewport: { width: 1280, height: 800 }, ...options });
  places.set(context, placeOf(t.name));
  context.setDefaultTimeout(10_000);
  await context.addInitScript(watchCookies);
  const complaints: string[] = [];
  const allowed = [options.baseURL ?? pageUrl, serviceUrl, supabaseUrl].map((url) => new URL(url).origin);
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && !allowed.includes(origin)) complaints.push(`a request to ${request.url()}`);
  });
  context.on("weberror", (error) => complaints.push(`thrown: ${error.error()}`));
  context.on("console", (message) => {
    if (/Content Security Policy|Minified React error|unsettled cookies/.test(message.text())) complaints.push(message.text());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });
  return context.newPage();
}

export interface User {
  readonly id: string;
  readonly email: string;
}

/** Makes an account of its own for a test. */
export async function newUser(fullName?: string): Promise<User> {
  const { auth } = createClient(supabaseUrl, supabaseKey, { auth: { persistSession: false } });
  const email = `${randomUUID().slice(0, 8)}@example.com`;
  const data = fullName === undefined ? {} : { full_name: fullName };
  const answer = await auth.signUp({ email, password: PASSWORD, options: { data } });
  assert.ifError(answer.error);
  assert.ok(answer.data.user);
  return { id: answer.data.user.id, email };
}

/** Fills in the sign-in page, as a user does. */
export async function fillIn(page: Page, { email }: Pick<User, "email">, password = PASSWORD): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens the account with a new session, and waits until the name is read, or for another sign of life. */
export async function signIn(page: Page, { email }: User, arrived = "Up to date"): Promise<void> {
  const session: { name: string; value: string; url: string }[] = [];
  const { auth } = createServerClient(supabaseUrl, supabaseKey, {
    cookies: {
      getAll: () => [],
      setAll: (cookies) => void session.push(...cookies.map(({ name, value }) => ({ name, value, url: pageUrl }))),
    },
  });
  assert.ifError((await auth.signInWithPassword({ email, password: PASSWORD })).error);
  await page.context().addCookies(session);
  await page.goto("/account");
  await page.getByText(arrived).waitFor();
}

/** What @supabase/ssr keeps in its cookies. */
export interface StoredSession {
  access_token: string;
  refresh_token: string;
  /** Seconds since 1970. */
  expires_at: number;
}

/** Rewrites the session in the browser's cookies, as time or a fault would have. */
export async function editSession(context: BrowserContext, edit: (session: StoredSession) => void): Promise<void> {
  const cookies = (await context.cookies()).filter(({ name }) => SESSION_COOKIE.test(name));
  const [first] = cookies;
  assert.ok(first, "there is no session");
  const key = first.name.replace(SESSION_COOKIE, "$1");
  const value = await combineChunks(key, (name) => cookies.find((cookie) => cookie.name === name)?.value);
  assert.ok(value);
  const session = JSON.parse(stringFromBase64URL(value.slice("base64-".length))) as StoredSession;
  edit(session);

  const { domain, path, expires, sameSite } = first;
  await context.clearCookies({ name: SESSION_COOKIE });
  const chunks = createChunks(key, `base64-${stringToBase64URL(JSON.stringify(session))}`);
  await context.addCookies(chunks.map((chunk) => ({ ...chunk, domain, path, expires, sameSite })));
}

/** Tells the page that its tab came to the front, which makes it read again. */
export async function comeBack(page: Page): Promise<void> {
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
}
