/** Files that are not an archive's: what a command leaves for whoever runs it. */
import { resolve } from "node:path";
import { toUtf8 } from "../base/bytes.ts";
import type { World } from "../base/world.ts";
import { storageError } from "../io/handle_cache.ts";
import { writeSmallFile } from "./archive_folder.ts";

/** Replace a file as a whole, its folder made too. @throws {StorageError} */
export function writeWhole(file: string, text: string, world: World): void {
  writeSmallFile(resolve(world.cwd(), file), toUtf8(text), { mode: 0o644 });
}

/** Add to a file, which is made if there is none. @throws {StorageError} */
export function appendLines(file: string, text: string, world: World): void {
  const path = resolve(world.cwd(), file);
  try {
    Deno.writeTextFileSync(path, text, { append: true });
  } catch (error) {
    throw storageError(`Cannot write "${path}"`, error);
  }
}
