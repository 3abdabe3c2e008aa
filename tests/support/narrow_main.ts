/**
 * Runs trove with the narrowest permissions for its arguments, for tests that put the command into a
 * script or a terminal: what the arguments will be is known when it is started only.
 */
import { narrowCommand } from "./trove_command.ts";

const env = Deno.env.toObject();
const [program, ...args] = narrowCommand(Deno.args, { home: env.HOME, env });
const child = new Deno.Command(program, { args, stdin: "inherit" }).spawn();
// A terminal sends an interrupt to both; others are for the child.
Deno.addSignalListener("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => child.kill(signal));
}
Deno.exit((await child.status).code);
