/**
 * The 32-byte header of a SLEEP file.
 *
 * ```
 *   0         3      4         5            7             8          32
 *   05 02 57  type   version   entry bytes  name length   algorithm  (zeros)
 * ```
 *
 * Source: spec of storage, section 2.
 */
import { StorageError } from "../../base/errors.ts";
import { OLD_PAGE_BYTES, PAGE_BYTES } from "./bitfield_page.ts";
import { HEADER_BYTES, SIGNATURE_ENTRY_BYTES, TREE_ENTRY_BYTES } from "./layout.ts";

/** Which of a feed's files a header belongs to. */
export type SleepKind = "bitfield" | "signatures" | "tree";

interface Kind {
  readonly type: number;
  /** Entry sizes that occur; the first is what new files get. */
  readonly entryBytes: readonly number[];
  readonly algorithm: string;
}

const MAGIC = [0x05, 0x02, 0x57];
const MAX_NAME_BYTES = HEADER_BYTES - 8;

const KINDS: Readonly<Record<SleepKind, Kind>> = {
  bitfield: { type: 0, entryBytes: [PAGE_BYTES, OLD_PAGE_BYTES], algorithm: "" },
  signatures: { type: 1, entryBytes: [SIGNATURE_ENTRY_BYTES], algorithm: "Ed25519" },
  tree: { type: 2, entryBytes: [TREE_ENTRY_BYTES], algorithm: "BLAKE2b" },
};

/** The header of a new file, 32 bytes. */
export function encodeHeader(kind: SleepKind): Uint8Array {
  const { type, entryBytes, algorithm } = KINDS[kind];
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  header[3] = type;
  header[5] = entryBytes[0] >> 8;
  header[6] = entryBytes[0] & 0xff;
  header[7] = algorithm.length;
  for (let i = 0; i < algorithm.length; i++) header[8 + i] = algorithm.charCodeAt(i);
  return header;
}

/**
 * The entry size, in bytes, that a file's first 32 bytes announce. Padding may hold anything, and
 * the algorithm may be left out, for files by others do both.
 *
 * @param name The file, for messages.
 * @throws {StorageError} If this is no header of that kind.
 */
export function parseHeader(header: Uint8Array, kind: SleepKind, name: string): number {
  const { type, entryBytes, algorithm } = KINDS[kind];
  const fail = (why: string): never => {
    throw new StorageError(`Cannot read "${name}" as a ${kind} file: ${why}`, {
      hint: "The file is damaged or belongs to another program: restore it from a copy",
    });
  };
  if (header.length < HEADER_BYTES) fail(`${header.length} bytes, a header has ${HEADER_BYTES}`);
  if (MAGIC.some((byte, at) => header[at] !== byte)) fail("it does not begin with 05 02 57");
  if (header[3] !== type) fail(`file type ${header[3]}, need ${type}`);
  if (header[4] !== 0) fail(`version ${header[4]}, need 0`);
  const size = header[5] * 256 + header[6];
  if (!entryBytes.includes(size)) fail(`entries of ${size} bytes, need ${entryBytes.join(" or ")}`);
  if (header[7] > MAX_NAME_BYTES) fail(`an algorithm name of ${header[7]} bytes`);
  const found = String.fromCharCode(...header.subarray(8, 8 + header[7]));
  if (found !== "" && algorithm !== "" && found !== algorithm) {
    fail(`algorithm ${JSON.stringify(found)}, need ${JSON.stringify(algorithm)}`);
  }
  return size;
}
