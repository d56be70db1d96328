import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { REASONS } from "@user-service/client";
import { build } from "esbuild";

const PACKAGE = resolve(import.meta.dirname, "..");
const LIMIT = 40_000; // bytes, gzip

async function bundled(code: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: PACKAGE },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  assert.ok(outputFiles[0]);
  return outputFiles[0].contents;
}

test("all that the package exports is under 40 kB gzip for a browser", async (t) => {
  const size = gzipSync(await bundled(`export * from "@user-service/client"`)).length;
  t.diagnostic(`${size} bytes`);
  assert.ok(size < LIMIT, `${size} bytes`);
});

test("what is not used is not bundled", async () => {
  const { length } = await bundled(`export { REASONS } from "@user-service/client"`);
  assert.ok(length < 2_000, `${length} bytes`);
});

test("the generated code is that of the project's proto", () => {
  const fresh = mkdtempSync(join(tmpdir(), "user-service-client-"));
  try {
    execFileSync("buf", ["generate", "--output", fresh], { cwd: PACKAGE });
    assert.deepEqual(tree(join(PACKAGE, "src/gen")), tree(join(fresh, "src/gen")), "run `npm run generate -w client`");
  } finally {
    rmSync(fresh, { recursive: true });
  }
});

test("the proto files pass buf's standard lint", () => {
  execFileSync("buf", ["lint"], { cwd: resolve(PACKAGE, "../.."), stdio: "inherit" });
});

test("the reasons are those that the service can give", () => {
  const sources = ["error.rs", "wires/reason.rs"].map((file) => readFileSync(resolve(PACKAGE, "../../src", file), "utf8"));
  const rows = sources.flatMap((source) => [...source.matchAll(/^ {4}\w+ "([A-Z0-9_]+)" \w+ /gm)]);
  const given = new Set(rows.map(([, name]) => name));
  assert.deepEqual([...given].sort(), [...REASONS].sort());
});

function tree(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length), readFileSync(path, "utf8")];
    }),
  );
}
