/** trove that brings nothing to disk on purpose: what that costs is the difference. */
import manifest from "../deno.json" with { type: "json" };
import { run } from "../src/cli/run.ts";
import { realWorld } from "../src/io/real_world.ts";

const nothing = () => {};
Object.assign(Deno.FsFile.prototype, { syncSync: nothing, syncDataSync: nothing });
Deno.exit(await run(Deno.args, realWorld(), manifest.version));
