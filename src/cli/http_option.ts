/** `--http` of commands that stay: the folder's archive over HTTP, beside what they do. */
import { type Command, Option } from "commander";
import type { CommandContext } from "./context.ts";
import { parsePort } from "./options.ts";

export interface HttpOptions {
  /** A port; true for the usual one, or another one if it is taken. */
  readonly http?: number | true;
}

export function addHttpOption(command: Command): Command {
  return command.addOption(
    new Option("--http [port]", "show the files in browsers of this machine too (port 8080)")
      .argParser(parsePort),
  );
}

/** Serve a folder's archive, which may come later; nothing if that was not asked for. */
export async function serveBeside(
  dir: string,
  { http }: HttpOptions,
  { world, output }: CommandContext,
): Promise<AsyncDisposable | undefined> {
  if (http === undefined) return undefined;
  const { serveFolder } = await import("../app/http/serve.ts");
  const served = serveFolder(dir, { world, port: http === true ? undefined : http });
  output.emit({ event: "http", url: served.url });
  return served;
}
