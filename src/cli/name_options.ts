/** The options of commands that look up names. */
import { type Command, Option } from "commander";
import { parseDoh } from "../app/name_servers.ts";
import type { NameOptions } from "../app/names.ts";
import { GROUPS } from "./help.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";

export interface NameCommandOptions {
  /** As of commands that meet peers: names and addresses of private networks are fine. */
  readonly allowPrivate?: boolean;
  /** URLs of DNS over HTTPS servers; none: they are not to be asked. */
  readonly doh?: readonly string[];
}

export function addNameOptions(command: Command): Command {
  return command.addOption(
    new Option("--doh <url>", "look names up at this DNS over HTTPS server; off for none")
      .helpGroup(GROUPS.peers)
      .argParser(parseDoh),
  );
}

/**
 * How names are looked up: as the option says, or else the environment.
 *
 * @throws {UsageError} If what the environment says makes no sense.
 */
export function namesOf(
  { doh, allowPrivate }: NameCommandOptions,
  world: World,
): NameOptions {
  return { doh: doh ?? dohOf(world.env("TROVE_DOH") ?? ""), allowPrivate };
}

function dohOf(text: string): readonly string[] | undefined {
  if (text.trim() === "") return undefined;
  try {
    return parseDoh(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { message, hint } = error;
    throw new UsageError(`${message} (from TROVE_DOH)`, { cause: error, hint });
  }
}
