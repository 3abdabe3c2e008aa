/** Build the World, run the command, set the exit code. */
import manifest from "./deno.json" with { type: "json" };

/** Loads what it takes once it is known what for, which to be asked for the version is nothing. */
async function main(args: readonly string[]): Promise<number> {
  const { realWorld } = await import("./src/io/real_world.ts");
  const world = realWorld();
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
    world.stdout.write(`${manifest.version}\n`);
    return 0;
  }
  const { run } = await import("./src/cli/run.ts");
  return await run(args, world, manifest.version);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
