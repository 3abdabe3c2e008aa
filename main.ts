/** Build the World, run the command, set the exit code. */
import manifest from "./deno.json" with { type: "json" };

/** Loads what it takes once it is known what for, which to be asked for the version is nothing. */
async function main(args: readonly string[]): Promise<number> {
  const io = import("./src/io/real_world.ts");
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
    (await io).realWorld().stdout.write(`${manifest.version}\n`);
    return 0;
  }
  const [{ realWorld }, { run }] = await Promise.all([io, import("./src/cli/run.ts")]);
  return await run(args, realWorld(), manifest.version);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
