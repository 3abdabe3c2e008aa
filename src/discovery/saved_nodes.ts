/**
 * The nodes of a DHT that answered, kept between runs so that the next one needs no bootstrap node.
 * The file is a convenience: what cannot be read or written is done without.
 */
import { join } from "node:path";
import { isIPv4 } from "node:net";
import { toUtf8 } from "../base/bytes.ts";
import { formatAddress, type HostPort } from "../io/peer_address.ts";
import { ReplacedFile } from "../io/replaced_file.ts";

/** Enough that some still answer after weeks; all are asked at once at the start. */
export const MAX_SAVED = 32;

/** A file that is larger is none of ours: 32 addresses take less than one kilobyte. */
const MAX_FILE_BYTES = 16 * 1024;

export class SavedNodes {
  readonly #path: string | undefined;
  #written = "";

  /** @param folder Where the file is; without it nothing is kept. */
  constructor(folder: string | undefined, name: string) {
    this.#path = folder === undefined ? undefined : join(folder, `${name}-nodes.json`);
  }

  /** None if there is no file, or it makes no sense. */
  read(): HostPort[] {
    if (this.#path === undefined) return [];
    try {
      if (Deno.statSync(this.#path).size > MAX_FILE_BYTES) return [];
      const { nodes } = JSON.parse(Deno.readTextFileSync(this.#path));
      return (nodes as unknown[]).flatMap(readNode).slice(0, MAX_SAVED);
    } catch {
      return [];
    }
  }

  /** Nothing is written where nothing is known: what an earlier run knew is worth more than that. */
  write(nodes: readonly HostPort[]): void {
    if (this.#path === undefined || nodes.length === 0) return;
    const text = JSON.stringify({ nodes: nodes.slice(0, MAX_SAVED).map(formatAddress) }) + "\n";
    if (text === this.#written) return;
    try {
      Deno.mkdirSync(join(this.#path, ".."), { recursive: true });
      using file = new ReplacedFile(this.#path);
      file.write(toUtf8(text));
      file.finish();
      this.#written = text;
    } catch {
      // Another process is writing it, or nobody may: the next start asks the bootstrap nodes.
    }
  }
}

function readNode(text: unknown): HostPort[] {
  const match = typeof text === "string" ? /^([\d.]{7,15}):(\d{1,5})$/.exec(text) : null;
  if (match === null || !isIPv4(match[1])) return [];
  const port = Number(match[2]);
  return port > 0 && port < 65536 ? [{ host: match[1], port }] : [];
}
