/**
 * What the browser tests run against, all of it real: the development stack (PostgreSQL and the
 * stand-in for Supabase Auth), the service, and the built page. `test.sh` builds them and chooses
 * the ports, since Next writes the addresses into the page when it builds.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** Runs a program to its end, while other tests go on. */
export const run = promisify(execFile);

export const WEB = resolve(import.meta.dirname, "..");
const ROOT = resolve(WEB, "..");
export const OUT = join(WEB, "e2e/out");
const SEED = join(ROOT, ".dev/env");
const PATIENCE_MS = 60_000;

function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run the browser tests with web/test.sh`);
  return value;
}

export const pageUrl = `http://127.0.0.1:${setting("WEB_PORT")}`;
export const serviceUrl = setting("NEXT_PUBLIC_USER_SERVICE_URL");
/** The stack's own service, which serves pages, too. */
export const stackUrl = `http://127.0.0.1:${setting("DEV_HTTP_PORT")}`;
const authUrl = setting("NEXT_PUBLIC_SUPABASE_URL");

/** A process of the stack, with its output in a file of its own. */
class Program {
  private child: ChildProcess | undefined;
  private readonly name: string;
  private readonly argv: readonly string[];
  private readonly env: Record<string, string>;
  private readonly isReady: () => Promise<boolean>;

  constructor(
    name: string,
    argv: readonly string[],
    env: Record<string, string>,
    isReady: () => Promise<boolean>,
  ) {
    this.name = name;
    this.argv = argv;
    this.env = env;
    this.isReady = isReady;
  }

  async start(): Promise<void> {
    const [command, ...args] = this.argv;
    assert.ok(command);
    const log = openSync(join(OUT, `${this.name}.log`), "a");
    const env = { ...process.env, ...this.env };
    this.child = spawn(command, args, { cwd: this.name === "page" ? WEB : ROOT, env, stdio: ["ignore", log, log] });
    closeSync(log);
    process.once("exit", () => this.child?.kill("SIGKILL"));
    await until(`${this.name} to be ready`, async () => {
      assert.equal(this.child?.exitCode, null, `${this.name} ended: see e2e/out/${this.name}.log`);
      return this.isReady();
    });
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    await ended;
  }

  /** Stops the process in its tracks, sockets open, until it is resumed. */
  pause(): void {
    this.child?.kill("SIGSTOP");
  }

  resume(): void {
    this.child?.kill("SIGCONT");
  }
}

const answers = (url: string) => async () => (await fetch(url)).ok;

const stack = new Program("stack", [join(ROOT, "target/debug/dev"), "run"], {}, async () => {
  seed = { DATABASE_URL: environment(SEED)["DATABASE_URL"] ?? "" };
  return seed.DATABASE_URL !== "";
});

/** The service of these tests: beside the stack's own, to be stopped and started at will. */
export let service: Program;
let page: Program;

/** What the stack says about itself once it is up. */
let seed: { readonly DATABASE_URL: string };

export async function start(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  rmSync(SEED, { force: true });
  await stack.start();
  service = new Program(
    "service",
    [join(ROOT, "target/debug/user-service")],
    {
      LISTEN_ADDR: new URL(serviceUrl).host,
      SUPABASE_URL: authUrl,
      DATABASE_URL: seed.DATABASE_URL,
      CORS_ALLOWED_ORIGINS: pageUrl,
      SESSION_CHECK: "on",
      SESSION_CHECK_TTL: "1ms", // so that a test need not wait for a session to be seen as ended
    },
    answers(`${serviceUrl}/readyz`),
  );
  page = new Program(
    "page",
    [process.execPath, join(WEB, "node_modules/next/dist/bin/next"), "start", "--port", setting("WEB_PORT")],
    {},
    answers(`${pageUrl}/sign-in`),
  );
  await Promise.all([service.start(), page.start()]);
}

export async function stop(): Promise<void> {
  for (const program of [page, service, stack]) await program?.stop();
}

/** Runs SQL as the project's owner would in Supabase's editor, and returns what it answers. */
export async function sql(statement: string): Promise<string> {
  const options = ["--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
  return (await run("psql", [seed.DATABASE_URL, ...options, "--command", statement])).stdout.trim();
}

/** Waits until a condition holds; what it throws meanwhile is kept for the message. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      last = error;
    }
    await sleep(20);
  }
  throw new Error(`waited in vain for ${what}`, { cause: last });
}

/** Reads a file of `NAME=value` lines as a shell would. */
function environment(file: string): Record<string, string> {
  const lines = readFileSync(file, "utf8").matchAll(/^(?:export )?(\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value?.replace(/^'(.*)'$|^"(.*)"$/, "$1$2")]));
}
