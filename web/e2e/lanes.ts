/**
 * Declares tests, and runs those at the same time that do not disturb each other: each has a browser
 * profile and users of its own, while the stack is one for all.
 */
import { describe, test as run, type TestContext } from "node:test";

/** How many run at a time. More take no less time: two cores are busy then. */
const LANES = 6;

type Body = (t: TestContext) => Promise<void>;
type Tests = Map<string, Body>;

const together: Tests = new Map();
const alone: Tests = new Map();
const elsewhere: Tests = new Map();

const declaredIn = (tests: Tests) => (name: string, body: Body) => void tests.set(name, body);

/** Declares a test that may run beside others. */
export const test = declaredIn(together);

/** Declares a test that stops or pauses the service, which others would notice. */
export const testAlone = declaredIn(alone);

/** Declares a test that needs the stack's own service and not the one that others stop. */
export const testElsewhere = declaredIn(elsewhere);

/** Where a test stands among all that are declared. */
export function placeOf(name: string): number {
  return [...together.keys(), ...alone.keys(), ...elsewhere.keys()].indexOf(name);
}

/** Hands what was declared to the runner. */
export function runAll(): void {
  group("side by side", LANES, together);
  describe("the rest", { concurrency: 2 }, () => {
    group("one by one, since they stop the service", 1, alone);
    group("beside these, at the stack's own service", 1, elsewhere);
  });
}

function group(name: string, concurrency: number, tests: Tests): void {
  describe(name, { concurrency }, () => {
    for (const [name, body] of tests) run(name, body);
  });
}
