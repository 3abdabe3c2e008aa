/**
 * trove, ended by SIGKILL in front of one of its changes to files: the first argument says which, and
 * the second below which folder they count; the rest is trove's. All else is what main.ts runs.
 */
import manifest from "../../deno.json" with { type: "json" };
import { run } from "../../src/cli/run.ts";
import { realWorld } from "../../src/io/real_world.ts";
import { DiskHooks, isChange } from "./disk_hooks.ts";

const [count, folder, ...args] = Deno.args;
let left = Number(count);
using _hooks = new DiskHooks([folder], {
  before(call) {
    if (!isChange(call) || --left > 0) return;
    Deno.kill(Deno.pid, "SIGKILL");
    // It need not have come yet when the call is back.
    for (;;);
  },
});
Deno.exit(await run(args, realWorld(), manifest.version));
