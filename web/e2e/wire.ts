import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { newUser, signIn, visitor } from "./browser.ts";

test("the browser speaks gRPC-Web: a message frame, then a trailers frame", async (t) => {
  const page = await visitor(t);
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

  const body = await response.body();
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
  await signIn(page, await newUser());
  const storageState = await page.context().storageState();
  const total = await weigh("/account");
  const nextAlone = await weigh("/nowhere");
  t.diagnostic(`${total} bytes in all, ${nextAlone} of them Next, React and what every page has`);
  assert.ok(total - nextAlone < 150_000); // supabase-js is in it and need not be

  async function weigh(path: string): Promise<number> {
    const fresh = await visitor(t, { storageState });
    let sum = 0;
    fresh.on("response", async (response) => {
      if (response.request().resourceType() === "script") sum += gzipSync(await response.body()).length;
    });
    await fresh.goto(path, { waitUntil: "networkidle" });
    return sum;
  }
});
