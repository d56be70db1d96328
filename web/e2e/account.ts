import assert from "node:assert/strict";
import { newUser, signIn, visitor } from "./browser.ts";
import { test, testAlone } from "./lanes.ts";
import { shoot } from "./shots.ts";
import { service, sql } from "./stack.ts";

test("the name is read on the server and again in the browser", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  const html = await (await page.context().request.get("/account")).text();
  assert.match(html, /<input[^>]*name="full_name"[^>]*value="Ada Lovelace"/);
  await shoot(page, "Account");
});

testAlone("while the service thinks, the page shows where the name will be", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  service.pause();
  try {
    await page.goto("/account", { waitUntil: "commit" });
    await page.getByText("Loading your profile").waitFor();
    await page.getByText("Loading your name").waitFor();
    await shoot(page, "Loading");
  } finally {
    service.resume();
  }
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  await page.getByRole("button", { name: "Save changes" }).waitFor();
});

test("without a name the page asks for one, and takes it", async (t) => {
  const user = await newUser();
  const page = await visitor(t);
  await signIn(page, user);
  await page.getByRole("heading", { name: "No name yet" }).waitFor();
  await page.getByText("You have no name yet.").waitFor();
  await shoot(page, "No name yet");
  await page.getByRole("button", { name: "Add your name" }).click();
  await page.getByLabel("New name").fill("Dorothy Vaughan");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Dorothy Vaughan" }).waitFor();
  await page.getByText("You have no name yet.").waitFor({ state: "detached" });
});

test("the form saves on the server, and the browser's reading follows", async (t) => {
  const user = await newUser("Ada Byron");
  const page = await visitor(t);
  await signIn(page, user);
  await page.getByLabel("Full name").fill("  Ada Lovelace ");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved", { exact: true }).waitFor();
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  assert.equal(await page.getByLabel("Full name").inputValue(), "Ada Lovelace");
  await shoot(page, "Saved");
});

test("renaming in the browser reaches the form that the server made", async (t) => {
  const user = await newUser("Ada Byron");
  const page = await visitor(t);
  await signIn(page, user);
  const rename = page.getByRole("button", { name: "Rename" });
  await rename.click();
  await shoot(page, "Renaming");
  await page.getByLabel("New name").fill("Ada Lovelace");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  await page.locator("input[name=full_name][value='Ada Lovelace']").waitFor();
  assert.ok(await rename.evaluate((button) => button === document.activeElement), "the focus is lost");
});

test("Enter, pressed again while the name is being saved, saves it once", async (t) => {
  const user = await newUser("Ada Byron");
  const page = await visitor(t);
  await signIn(page, user);
  let calls = 0;
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.route("**/user.v1.UserService/UpdateName", async (route) => {
    calls += 1;
    await held;
    await route.continue();
  });
  await page.getByRole("button", { name: "Rename" }).click();
  const name = page.getByLabel("New name");
  await name.fill("Ada Lovelace");
  // Twice before the page can show that it is busy, and once when it does.
  await name.evaluate((input: HTMLInputElement) => [1, 2].forEach(() => input.form?.requestSubmit()));
  await page.keyboard.press("Enter");
  release();
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  assert.equal(calls, 1);
});

test("Escape leaves renaming and keeps the name", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await page.getByRole("button", { name: "Rename" }).press("Enter");
  await page.keyboard.type("x");
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Ada Lovelace" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Rename" }).evaluate((it) => it === document.activeElement));
});

test("what the service says about a name stands beside the field, in both forms", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);

  for (const [label, button] of [
    ["Full name", "Save changes"],
    ["New name", "Save"],
  ] as const) {
    if (label === "New name") await page.getByRole("button", { name: "Rename" }).click();
    const field = page.getByLabel(label, { exact: true });
    await field.fill(" ");
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.locator("[aria-invalid=true]").and(field).waitFor();
    const described = await field.evaluate((input) => input.getAttribute("aria-describedby"));
    const message = await page.locator(`[id="${described}"]`).innerText();
    assert.match(message, /\w{3}/);
    await field.fill("x".repeat(201));
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.locator(`[id="${described}"]`, { hasText: /200/ }).waitFor();
    assert.equal(await field.inputValue(), "x".repeat(201), "what was entered is kept");
  }
  await shoot(page, "Name refused");
});

test("an account without a profile is told so", async (t) => {
  const user = await newUser("Ada Lovelace");
  const page = await visitor(t);
  await signIn(page, user);
  await sql(`delete from public.users where id = '${user.id}'`);
  await page.reload();
  await page.getByText("USER_NOT_FOUND").waitFor();
  await page.getByRole("alert").filter({ hasText: "You have no profile yet" }).waitFor();
  await page.getByRole("status").filter({ hasText: "You have no profile yet" }).waitFor();
  await shoot(page, "No profile");
});

test("names of every script and length fit", async (t) => {
  const name = `${"Wolfeschlegelsteinhausenbergerdorff ".repeat(3)}Ольга عمر`;
  const user = await newUser(name);
  const page = await visitor(t);
  await signIn(page, user);
  await page.getByRole("heading", { name }).waitFor();
  await shoot(page, "A long name");
});
