/**
 * Command lines without a command: `trove <link> [dir]` and `trove <dir>`, as dat has them.
 *
 * Source: spec of the command lines, section 1, "Top level".
 */
import type { World } from "../base/world.ts";
import { isCommand } from "./commands.ts";

/**
 * The command line that is meant. A command wins over a folder of its name, which is meant by `./share`.
 *
 * @param args Without the program's own name.
 */
export async function withCommand(
  args: readonly string[],
  world: World,
): Promise<readonly string[]> {
  const [first] = args;
  if (first === undefined || first.startsWith("-") || isCommand(first)) return args;
  const { isLinkOrName } = await import("./links.ts");
  if (isLinkOrName(first)) return ["sync", ...args];
  const { folderKind } = await import("../app/locate.ts");
  switch (folderKind(first, world)) {
    case "archive":
      return ["sync", ...args];
    case "empty":
    case "plain":
      return ["share", ...args];
    default:
      return args;
  }
}
