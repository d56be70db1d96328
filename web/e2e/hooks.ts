import { after, before } from "node:test";
import { close, launch, openSheet } from "./browser.ts";
import { writeContactSheet } from "./shots.ts";
import { start, stop } from "./stack.ts";

before(async () => {
  await start();
  await launch();
});

after(async () => {
  try {
    await writeContactSheet(await openSheet());
  } finally {
    await close();
    await stop();
  }
});
