import { after, before } from "node:test";
import { close, launch, openSheet } from "./browser.ts";
import { writeContactSheet } from "./shots.ts";
import { start, stop } from "./stack.ts";

before(async () => {
  await Promise.all([start(), launch()]);
});

after(async () => {
  try {
    await writeContactSheet(await openSheet());
  } finally {
    await close();
    await stop();
    console.log(`The browser tests took ${(performance.now() / 1000).toFixed(1)} s, from the start of the stack to its end.`);
  }
});
