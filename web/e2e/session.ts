import assert from "node:assert/strict";
import { comeBack, editSession, fillIn, newUser, signIn, type StoredSession, visitor } from "./browser.ts";
import { test } from "./lanes.ts";
import { shoot } from "./shots.ts";
import { sql } from "./stack.ts";

const GET_NAME = "**/user.v1.UserService/GetName";
const isRefresh = (what: { url(): string }) => what.url().includes("grant_type=refresh_token");

const expire = (session: StoredSession) => {
  session.expires_at = Math.floor(Date.now() / 1000) - 1;
};

test("a session whose time is up is renewed while the page stays open", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Lovelace"));
  let before = "";
  await editSession(page.context(), (session) => {
    before = session.access_token;
    expire(session);
  });
  const [call] = await Promise.all([page.waitForRequest(GET_NAME), page.waitForRequest(isRefresh), comeBack(page)]);
  const after = call.headers()["authorization"];
  assert.match(after ?? "", /^Bearer ey/);
  assert.notEqual(after, `Bearer ${before}`);
  await page.getByText("Up to date").waitFor();
});

test("a token that the service refuses is refreshed once and the call repeated", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await editSession(page.context(), (session) => {
    session.access_token = `${session.access_token.slice(0, -8)}AAAAAAAA`;
  });
  const statuses: (string | null)[] = [];
  page.on("response", (response) => {
    if (response.url().endsWith("/GetName") && response.request().method() === "POST") {
      statuses.push(response.headers()["grpc-status"] ?? null);
    }
  });
  await Promise.all([page.waitForRequest(isRefresh), comeBack(page)]);
  await page.getByText("Up to date").waitFor();
  assert.deepEqual(statuses, ["16", null]); // refused in the headers; answered with trailers in the body
  assert.equal(await page.getByRole("alert").filter({ hasText: /\w/ }).count(), 0);
});

test("an expired session leads to the sign-in page, and signing in leads back", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await editSession(page.context(), (session) => {
    expire(session);
    session.refresh_token = "gone";
  });
  await page.goto("/account?from=bookmark");
  await page.getByRole("status").filter({ hasText: "Your session has ended." }).waitFor();
  await shoot(page, "Session ended");
  await fillIn(page, user);
  await page.waitForURL("**/account?from=bookmark");
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
});

test("saving when the session has ended leads to the sign-in page, too", async (t) => {
  const user = await newUser("Ada Byron");
  const page = await visitor(t);
  await signIn(page, user);
  await editSession(page.context(), (session) => {
    expire(session);
    session.refresh_token = "gone";
  });
  await page.getByLabel("Full name").fill("Ada Lovelace");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.waitForURL("**/sign-in?reason=ended");
  await page.getByRole("status").filter({ hasText: "Your session has ended." }).waitFor();
});

test("no cache keeps a session that was renewed on the way to another page", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser());
  await editSession(page.context(), expire);
  const answer = await page.context().request.get("/", { maxRedirects: 0 });
  assert.match(answer.headers()["set-cookie"] ?? "", /sb-.+-auth-token/);
  assert.match(answer.headers()["cache-control"] ?? "", /no-store/);
});

test("an open page whose session can no longer be renewed leaves for the sign-in page", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await editSession(page.context(), expire);
  await sql(`delete from auth.sessions where user_id = '${user.id}'`);
  await comeBack(page);
  await page.waitForURL("**/sign-in?reason=out");
});

test("a session that was ended elsewhere is told, with the way back in", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await sql(`delete from auth.sessions where user_id = '${user.id}'`);
  await comeBack(page);
  await page.getByRole("status").filter({ hasText: "Your session has ended" }).waitFor(); // in the browser
  await page.reload();
  const notice = page.getByRole("alert").filter({ hasText: "Your session has ended" }); // and on the server
  await notice.filter({ hasText: "SESSION_ENDED" }).waitFor();
  await page.getByRole("status").filter({ hasText: "Your session has ended" }).waitFor();
  await shoot(page, "Session refused");
  await notice.getByRole("link", { name: "Sign in" }).click();
  // And not back to the account, although the token in the cookies is still good.
  await page.waitForURL("**/sign-in?reason=ended");
  await fillIn(page, user);
  await page.getByText("Up to date").waitFor();
});

test("a suspended user is told so", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await sql(`update auth.users set banned_until = now() + interval '1 hour' where id = '${user.id}'`);
  await page.reload();
  await page.getByRole("alert").filter({ hasText: "This account is suspended" }).waitFor();
  await page.getByRole("status").filter({ hasText: "This account is suspended" }).waitFor();
  await shoot(page, "Suspended");
});

test("signing out ends the session and leaves nothing to go back to", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in?reason=out");
  await page.getByRole("status").filter({ hasText: "You are signed out." }).waitFor();
  await shoot(page, "Signed out");
  assert.deepEqual((await page.context().cookies()).filter(({ name }) => name.startsWith("sb-")), []);
  await page.goto("/account");
  await page.waitForURL("**/sign-in");
  assert.equal(await page.getByText("Ada Lovelace").count(), 0);
});

test("signing out in one tab signs out the other", async (t) => {
  const first = await visitor(t);
  await signIn(first, await newUser("Ada Lovelace"));
  const second = await first.context().newPage();
  await second.goto("/account");
  await second.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  await first.getByRole("button", { name: "Sign out" }).click();
  await second.waitForURL("**/sign-in?reason=out");
});

test("a name changed in one tab is seen in the other when the user comes back to it", async (t) => {
  const first = await visitor(t);
  await signIn(first, await newUser("Ada Byron"));
  const second = await first.context().newPage();
  await second.goto("/account");
  await second.getByRole("heading", { name: "Ada Byron" }).waitFor();
  await first.getByLabel("Full name").fill("Ada Lovelace");
  await first.getByRole("button", { name: "Save changes" }).click();
  await first.getByText("Saved", { exact: true }).waitFor();
  await comeBack(second);
  await second.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
});
