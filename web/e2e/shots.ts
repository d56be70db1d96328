import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { placeOfTest } from "./browser.ts";
import { OUT } from "./stack.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Only what `inspect` looks at; without fetching the page's style sheets anew. */
const AXE_RUN = "axe.run({ resultTypes: ['violations'], preload: false })";
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** One row of the contact sheet: a state, in every size and theme. */
interface Row {
  readonly place: number;
  readonly state: string;
  readonly images: readonly Buffer[];
}
const rows: Row[] = [];

/** Takes a state's pictures in both sizes and themes, and lets axe look at each theme. */
export async function shoot(page: Page, state: string): Promise<void> {
  const images: Buffer[] = [];
  for (const viewport of [DESKTOP, PHONE]) {
    await page.setViewportSize(viewport);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${state} scrolls sideways by ${overflow} px at ${viewport.width}`);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      images.push(await page.screenshot({ fullPage: true, animations: "disabled" }));
      if ((viewport === DESKTOP) === (colorScheme === "light")) await inspect(page, `${state}, ${colorScheme}`);
    }
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
  rows.push({ place: placeOfTest(page), state, images });
}

/** Fails on what axe-core finds serious or critical. */
async function inspect(page: Page, where: string): Promise<void> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  const results = await page.evaluate<AxeResults>(AXE_RUN);
  const found = results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${where}: ${id} at ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(found, []);
}

/** Writes all pictures into one: a row for each state. */
export async function writeContactSheet(page: Page): Promise<void> {
  const image = (bytes: Buffer) => `<td><img src="data:image/png;base64,${bytes.toString("base64")}">`;
  rows.sort((a, b) => a.place - b.place);
  const row = ({ state, images }: Row) => `<tr><th>${state}${images.map(image).join("")}`;
  await page.setViewportSize({ width: 1900, height: 800 });
  await page.setContent(`<style>
    body { margin: 24px; background: #8a8a8a; font: 18px sans-serif }
    td { padding: 8px; vertical-align: top }
    th { padding: 8px; width: 160px; text-align: left; vertical-align: top }
    img { display: block; max-width: 560px } td:nth-child(n+4) img { width: 240px }
    </style><table>${rows.map(row).join("")}</table>`);
  await page.screenshot({ path: join(OUT, "contact-sheet.jpg"), type: "jpeg", quality: 90, fullPage: true });
}
