/**
 * Whether trove works on this machine, without a network: its crypto against known results, an archive
 * in a temporary folder, and a transfer between two peers of this process over loopback. Every part is
 * told by itself, so that what is wrong is seen even where nothing else can be tried.
 */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { ProofError, StorageError, TroveError } from "../base/errors.ts";
import { formatBytes } from "../base/format.ts";
import type { StopSignal, World } from "../base/world.ts";
import { type CryptoBackend, cryptoBackend } from "../crypto/backend.ts";
import {
  type Signer,
  wrongHashes,
  wrongKeystream,
  wrongSignatures,
} from "../crypto/known_answers.ts";
import { parseLink } from "../crypto/link.ts";
import { nobleBackend } from "../crypto/noble.ts";
import { noblePublicKey, nobleSign, nobleVerify } from "../crypto/noble_sign.ts";
import { keyPair, sign, verify } from "../crypto/sign.ts";
import { Channel } from "../csp/channel.ts";
import { formatAddress } from "../io/peer_address.ts";
import { archivePaths } from "./archive_folder.ts";
import { ArchiveView } from "./archive_view.ts";
import { cloneArchive } from "./clone_archive.ts";
import type { Check } from "./doctor.ts";
import { importFolder } from "./import_folder.ts";
import { createArchive, openArchive } from "./open_archive.ts";
import { shareFolder } from "./share_folder.ts";
import { stopWhen } from "./stop_signals.ts";
import { isSound, verifyArchive } from "./verify_archive.ts";

const LOOPBACK = "127.0.0.1";

/** Both peers are here: whatever takes longer does not work. */
const LOOPBACK_MS = 20_000;

/** What the folder of the test holds: several blocks, one, and none. */
const FILES: ReadonlyMap<string, Uint8Array> = new Map([
  ["large", Uint8Array.from({ length: 300_000 }, (_, at) => at * 7 + (at >> 8))],
  ["folder/small", Uint8Array.of(1, 2, 3)],
  ["folder/empty", new Uint8Array(0)],
]);

export interface SelfTestOptions {
  readonly world: World;
  /** Those of this program if left out. */
  readonly backends?: readonly CryptoBackend[];
  /** Aborted with the reason to throw. */
  readonly signal: AbortSignal;
  /** Told of each check as soon as it is done. */
  readonly onCheck: (check: Check) => void;
}

/** What a step found, or why it could not be taken. */
type Step = () => string | Promise<string>;

/**
 * Test everything.
 *
 * @returns Whether all of it works.
 * @throws The signal's reason, once it is aborted.
 */
export async function runSelfTest(options: SelfTestOptions): Promise<boolean> {
  const { world, signal, onCheck, backends = [cryptoBackend(), nobleBackend] } = options;
  let works = true;
  const take = async (check: string, hint: string, step: Step): Promise<boolean> => {
    try {
      onCheck({ check, state: "ok", message: await step() });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      works = false;
      onCheck({ check, state: "problem", message: messageOf(error), hint });
      return false;
    }
  };
  if (cryptoBackend() === nobleBackend) {
    onCheck({
      check: "wasm",
      state: "note",
      message: "WebAssembly or its vectors are missing here: JavaScript does its work, slowly",
      hint: "nothing is wrong with that but the time it takes",
    });
  }
  const unsafe = "do not use trove on this machine: report this, with its processor and system";
  for (const backend of new Set(backends)) {
    await take("crypto", unsafe, () => checkBackend(backend));
  }
  for (const [name, signer] of SIGNERS) {
    await take("signatures", unsafe, () => {
      refuse(`Cannot trust ${name}`, wrongSignatures(signer));
      return `Signatures: ${name} makes and checks known ones`;
    });
  }
  using folder = new TestFolder();
  const isThere = await take("folder", "set TMPDIR to a folder that can be written", () => {
    folder.open();
    return `A temporary folder can be written: ${folder.path}`;
  });
  if (!isThere) return false;
  const home = insideOf(folder.path, world);
  const stored = await take("storage", "look at the disk that the folder is on", async () => {
    return await storeAndRead(folder.join("shared"), home, signal);
  });
  if (!stored) return false;
  await take("loopback", "look for a firewall that forbids 127.0.0.1 to itself", async () => {
    return await shareAndClone(folder, home, signal);
  });
  return works;
}

function checkBackend(backend: CryptoBackend): string {
  const called = backend === nobleBackend ? "JavaScript" : "WebAssembly";
  refuse(`Cannot trust ${called}`, [...wrongHashes(backend), ...wrongKeystream(backend)]);
  return `Hashes and keystream: ${called} gets known results`;
}

const SIGNERS: ReadonlyMap<string, Signer> = new Map([
  ["the runtime", {
    publicKey: (seed) => keyPair(seed).publicKey,
    sign: (message, seed) => sign(message, keyPair(seed).secretKey),
    verify,
  }],
  ["JavaScript", { publicKey: noblePublicKey, sign: nobleSign, verify: nobleVerify }],
]);

function refuse(what: string, wrong: readonly string[]): void {
  if (wrong.length > 0) throw new ProofError(`${what}: it gets ${wrong.join(" and ")} wrong`);
}

/** An archive of a few files: made, opened again, read, verified, and damaged to see it noticed. */
async function storeAndRead(dir: string, world: World, signal: AbortSignal): Promise<string> {
  for (const [name, bytes] of FILES) {
    Deno.mkdirSync(join(dir, name, ".."), { recursive: true });
    Deno.writeFileSync(join(dir, name), bytes);
  }
  {
    using archive = createArchive(dir, world);
    await importFolder(archive, { world, emit: () => {}, signal });
  }
  readBack(dir, world);
  const paths = archivePaths(dir);
  const isWhole = () => isSound(verifyArchive(paths, { world }));
  if (!isWhole()) throw new StorageError("Cannot read back what was stored: it does not verify");
  const large = join(dir, "large");
  const { atime, mtime } = Deno.statSync(large);
  const bytes = Deno.readFileSync(large);
  bytes[100_000] ^= 1;
  Deno.writeFileSync(large, bytes);
  Deno.utimeSync(large, atime!, mtime!);
  if (isWhole()) throw new StorageError("Cannot rely on what is stored: damage is not noticed");
  bytes[100_000] ^= 1;
  Deno.writeFileSync(large, bytes);
  Deno.utimeSync(large, atime!, mtime!);
  const size = [...FILES.values()].reduce((sum, { length }) => sum + length, 0);
  return `Storage: ${formatBytes(size)} stored, read back and verified; a changed bit is noticed`;
}

/** The archive's files are those of the test, byte for byte, by way of its signed tree. */
function readBack(dir: string, world: World): void {
  using archive = openArchive(dir, { world, access: "read" });
  const view = new ArchiveView(archive);
  for (const [name, bytes] of FILES) {
    const file = view.find(`/${name}`);
    if (file === undefined) throw new StorageError(`Cannot read back "${name}": it is not listed`);
    let at = 0;
    for (const piece of view.read(file)) {
      if (!equalBytes(piece, bytes.subarray(at, at + piece.length))) break;
      at += piece.length;
    }
    if (at !== bytes.length || file.stat.size !== at) {
      throw new StorageError(`Cannot read back "${name}": it is not what was stored`);
    }
  }
}

/** One peer shares the folder, another one clones it. */
async function shareAndClone(
  folder: TestFolder,
  world: World,
  signal: AbortSignal,
): Promise<string> {
  const [from, to] = [folder.join("shared"), folder.join("clone")];
  const startedAt = world.clock.monotonic();
  const signals = new Channel<StopSignal>(1); // one is enough to stop
  using stop = stopWhen(world, { abort: signal });
  const listening = Promise.withResolvers<string>();
  const sharing = shareFolder({
    ...{ world, dir: from, peers: [], signals, watch: false, importFirst: false },
    listen: { host: LOOPBACK, port: 0, exact: true },
    emit: (event) => {
      if (event.event === "listening") listening.resolve(formatAddress(event));
    },
  });
  // It ends before it listens only if it fails.
  sharing.then(() => listening.reject(new TroveError("Cannot share")), listening.reject);
  try {
    const address = await listening.promise;
    using archive = openArchive(from, { world, access: "read" });
    const { key: publicKey } = parseLink(archive.link);
    const fetching = { dir: to, peers: [address], timeoutMs: LOOPBACK_MS };
    await cloneArchive({ ...fetching, world, publicKey, signals: stop.signals, emit: () => {} });
  } finally {
    signals.trySend("SIGTERM");
    await sharing.catch(() => {}); // told by `listening`
  }
  readBack(to, world);
  if (!isSound(verifyArchive(archivePaths(to), { world }))) {
    throw new ProofError("Cannot use what came over loopback: it does not verify");
  }
  const ms = Math.round(world.clock.monotonic() - startedAt);
  return `Loopback: ${FILES.size} files went from one peer to another and verify (${ms} ms)`;
}

/** The same world with nothing of the user's in it: no settings, no keys. */
function insideOf(home: string, world: World): World {
  const { clock, stdin, stdout, stderr, pid } = world;
  return {
    ...{ clock, stdin, stdout, stderr, pid },
    env: () => undefined,
    home: () => join(home, "home"),
    cwd: () => home,
    randomBytes: (length) => world.randomBytes(length),
    onStopSignal: (handle) => world.onStopSignal(handle),
    beforeExit: (restore) => world.beforeExit(restore),
  };
}

/** A temporary folder that is gone afterwards, if it can be made at all. */
class TestFolder implements Disposable {
  path = "";

  open(): void {
    this.path = Deno.makeTempDirSync({ prefix: "trove-self-test-" });
  }

  join(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    if (this.path !== "") Deno.removeSync(this.path, { recursive: true });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
