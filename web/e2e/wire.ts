import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { newUser, signIn, visitor } from "./browser.ts";
import { test } from "./lanes.ts";
import { WEB } from "./stack.ts";

/** Keeps the bytes of each answer to GetName: the client aborts its request as soon as it has read them. */
function keepAnswers(): void {
  const { fetch } = window;
  window.fetch = async (...args) => {
    const response = await fetch(...args);
    if (!response.url.endsWith("/GetName")) return response;
    const bytes = await response.arrayBuffer();
    Object.assign(window, { answer: [...new Uint8Array(bytes)] });
    return new Response(bytes, response);
  };
}

test("the browser speaks gRPC-Web: a message frame, then a trailers frame", async (t) => {
  const page = await visitor(t);
  await page.addInitScript(keepAnswers);
  const answered = page.waitForResponse((it) => it.url().endsWith("/GetName") && it.request().method() === "POST");
  await signIn(page, await newUser("Ada Lovelace"));
  const response = await answered;
  const request = response.request();

  assert.equal(response.status(), 200);
  assert.match(request.headers()["content-type"] ?? "", /^application\/grpc-web\+proto$/);
  assert.match(request.headers()["authorization"] ?? "", /^Bearer ey[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.match(request.headers()["grpc-timeout"] ?? "", /^\d+m$/);
  assert.deepEqual(request.postDataBuffer(), Buffer.from([0, 0, 0, 0, 0]), "an empty message in a frame");
  assert.match(response.headers()["content-type"] ?? "", /^application\/grpc-web\+proto$/);

  const body = Buffer.from(await page.evaluate<number[]>("answer"));
  const message = Buffer.concat([Buffer.from([0x0a, 12]), Buffer.from("Ada Lovelace")]); // field 1, 12 bytes
  assert.equal(body[0], 0, "an uncompressed message");
  assert.equal(body.readUInt32BE(1), message.length);
  assert.deepEqual(body.subarray(5, 5 + message.length), message);

  const trailers = body.subarray(5 + message.length);
  assert.equal(trailers[0], 0x80, "uncompressed trailers");
  assert.equal(trailers.readUInt32BE(1), trailers.length - 5);
  assert.match(trailers.subarray(5).toString(), /^grpc-status: ?0\r\n$/m);
});

test("the account page's own JavaScript is under 150 kB gzip", async (t) => {
  const page = await visitor(t);
  const sizes = new Map<string, Promise<number>>();
  page.on("response", (response) => {
    if (response.request().resourceType() !== "script") return;
    sizes.set(new URL(response.url()).pathname, response.body().then((body) => gzipSync(body).length));
  });
  await signIn(page, await newUser());
  sizes.clear();
  await page.goto("/account", { waitUntil: "networkidle" });

  const manifest = JSON.parse(readFileSync(join(WEB, ".next/build-manifest.json"), "utf8")) as { rootMainFiles: string[] };
  for (const file of manifest.rootMainFiles) sizes.delete(`/_next/${file}`); // Next and React
  const own = (await Promise.all(sizes.values())).reduce((sum, size) => sum + size, 0);
  t.diagnostic(`${own} bytes, supabase-js among them`);
  assert.ok(own > 0 && own < 150_000);
});
