/** All browser tests, in one process: one stack, one browser. Started by `web/test.sh`. */
import "./hooks.ts";
import "./wire.ts";
import "./client.ts";
import "./entrance.ts";
import "./account.ts";
import "./session.ts";
import "./outage.ts";
import "./explorer.ts";
import "./docs.ts";
import { runAll } from "./lanes.ts";

runAll();
