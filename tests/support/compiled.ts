/**
 * What `deno compile` put behind a base runtime. Where the real one is not at hand any other program of
 * the same format stands in for it: what is embedded is the same, and can be run by `deno` itself.
 *
 * Deno 2.9 appends a length and a JSON text with the permissions and flags, then a length and the list
 * of embedded files as JSON, then a length and their bytes. Lengths are 8 bytes, least significant
 * first.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { denoDirectory } from "./processes.ts";

export interface Compiled {
  /** What it may do, as Deno has it: null is nothing, an empty list everything. */
  readonly permissions: Readonly<Record<string, unknown>>;
  readonly v8Flags: readonly string[];
  readonly entry: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const LIST = new TextEncoder().encode('[{"File"');
const SETTINGS = new TextEncoder().encode('{"argv":');

/** Take a compiled program apart. */
export function readCompiled(path: string): Compiled {
  const bytes = Buffer.from(Deno.readFileSync(path));
  const listAt = bytes.indexOf(LIST);
  const settingsAt = bytes.lastIndexOf(SETTINGS, listAt);
  assert.ok(listAt > 0 && settingsAt > 0, "nothing is embedded");
  const list = lengthAt(bytes, listAt - 8);
  const dataAt = listAt + list + 8;
  const data = bytes.subarray(dataAt, dataAt + lengthAt(bytes, dataAt - 8));
  const entries = JSON.parse(bytes.toString("utf8", listAt, listAt + list));
  const files = entries.map(({ File: { n: name, o: [at, size] } }: EmbeddedFile) =>
    [name, data.subarray(at, at + size)] as const
  );
  const settingsBytes = lengthAt(bytes, settingsAt - 8);
  const settings = JSON.parse(bytes.toString("utf8", settingsAt, settingsAt + settingsBytes));
  return {
    permissions: settings.permissions,
    v8Flags: settings.v8_flags,
    entry: settings.entrypoint_key,
    files: new Map(files),
  };
}

interface EmbeddedFile {
  readonly File: { readonly n: string; readonly o: readonly [at: number, size: number] };
}

function lengthAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

/** What `deno compile` calls the machine that the tests run on. */
export const TARGET = Deno.build.target;

/** Where the real base runtime for this machine is, if anywhere. Nothing is fetched. */
export async function baseRuntime(): Promise<string | undefined> {
  const given = Deno.env.get("DENORT_BIN") ?? "";
  const kept = join(
    await denoDirectory(),
    `dl/release/v${Deno.version.deno}/denort-${TARGET}.zip`,
  );
  return [given, kept].find((path) => path !== "" && existsSync(path));
}
