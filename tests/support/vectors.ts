/** The golden vectors: bytes that other programs wrote. Their README.md says which and how. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the vectors: TROVE_VECTORS, or the one that comes with the tests. */
export function vectorsDir(): string {
  return Deno.env.get("TROVE_VECTORS") ?? fileURLToPath(new URL("../vectors", import.meta.url));
}

/** A JSON file of that folder, e.g. `readVector<CryptoVectors>("crypto.json")`. */
export function readVector<T>(name: string): T {
  return JSON.parse(readFileSync(join(vectorsDir(), name), "utf8"));
}
