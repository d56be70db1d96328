/** Swagger UI, as the service itself serves it at `/docs`. */
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import { newUser, PASSWORD, supabaseKey, supabaseUrl, visitor } from "./browser.ts";
import { testElsewhere as test } from "./lanes.ts";
import { stackUrl } from "./stack.ts";

test("the service's docs authorize and execute", async (t) => {
  const { auth } = createClient(supabaseUrl, supabaseKey, { auth: { persistSession: false } });
  const { email } = await newUser("Ada Lovelace");
  const { data } = await auth.signInWithPassword({ email, password: PASSWORD });
  assert.ok(data.session);

  const page = await visitor(t, { baseURL: stackUrl });
  await page.goto("/docs");
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.locator(".auth-container input").fill(data.session.access_token);
  await page.locator(".auth-btn-wrapper .authorize").click();
  await page.locator(".btn-done").click();
  await page.locator(".opblock-get .opblock-summary-control").first().click();
  await page.getByRole("button", { name: "Execute" }).click();
  const answer = page.locator(".live-responses-table .response");
  await answer.getByText('"Ada Lovelace"').waitFor();
  assert.equal(await answer.locator(".response-col_status").innerText(), "200");
});
