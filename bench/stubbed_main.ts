/** trove with a hash and a cipher that cost nothing; all else is what main.ts runs. */
import manifest from "../deno.json" with { type: "json" };
import { run } from "../src/cli/run.ts";
import { selectBackend } from "../src/crypto/backend.ts";
import { realWorld } from "../src/io/real_world.ts";
import { stubBackend } from "./stub_backend.ts";

selectBackend(stubBackend);
Deno.exit(await run(Deno.args, realWorld(), manifest.version));
