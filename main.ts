/** Build the World, run the command, set the exit code. */
import manifest from "./deno.json" with { type: "json" };
import { run } from "./src/cli/run.ts";
import { realWorld } from "./src/io/real_world.ts";

if (import.meta.main) Deno.exit(await run(Deno.args, realWorld(), manifest.version));
