import assert from "node:assert/strict";
import { comeBack, fillIn, newUser, signIn, visitor } from "./browser.ts";
import { test, testAlone } from "./lanes.ts";
import { shoot } from "./shots.ts";
import { pageUrl, service } from "./stack.ts";

const UNREACHABLE = "We can’t reach the service";

testAlone("without the service the page says so, and recovers by itself", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await service.stop();
  try {
    await page.reload();
    await page.getByRole("alert").filter({ hasText: UNREACHABLE }).waitFor(); // the server says it
    await page.getByRole("status").filter({ hasText: UNREACHABLE }).waitFor(); // and the browser
    await shoot(page, "Service unreachable");
    await page.getByRole("main").getByRole("button", { name: "Try again" }).first().click();
    await page.getByRole("alert").filter({ hasText: UNREACHABLE }).waitFor();
  } finally {
    await service.start();
  }
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  await page.getByRole("button", { name: "Save changes" }).waitFor();
});

testAlone("an open page lives through a restart of the service", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Lovelace"));
  await service.stop();
  try {
    await comeBack(page);
    await page.getByRole("status").filter({ hasText: UNREACHABLE }).waitFor();
    await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor(); // what was known stays
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByLabel("New name").fill("Ada Byron");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.locator("form").getByRole("alert").filter({ hasText: UNREACHABLE }).waitFor();
    await shoot(page, "Service restarting");
  } finally {
    await service.start();
  }
  await page.getByText("Up to date").waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("heading", { name: "Ada Byron" }).waitFor();
});

test("offline and back", async (t) => {
  const page = await visitor(t);
  await signIn(page, await newUser("Ada Byron"));
  await page.context().setOffline(true);
  await page.getByText("Offline").waitFor();
  await shoot(page, "Offline");
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByLabel("New name").fill("Ada Lovelace");
  await page.keyboard.press("Enter"); // waits for the network
  await page.context().setOffline(false);
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  await page.getByText("Up to date").waitFor();
});

test("from an origin that the service does not know, the browser cannot read its answers", async (t) => {
  const page = await visitor(t, { baseURL: pageUrl.replace("127.0.0.1", "localhost") });
  await page.goto("/sign-in");
  await fillIn(page, await newUser("Ada Lovelace"));
  await page.getByRole("status").filter({ hasText: UNREACHABLE }).waitFor();
  assert.equal(await page.getByLabel("Full name").inputValue(), "Ada Lovelace", "servers have no origin");
});
