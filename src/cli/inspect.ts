/** `trove inspect [dir]`: a look inside, for whoever repairs an archive or writes another peer. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { chooseFeed, findFeeds, RawFeed } from "../app/inspect_feed.ts";
import {
  describeBlock,
  describeEntry,
  describeFeed,
  describeNode,
  describeProof,
} from "../app/inspect_parts.ts";
import { describeSleepFile, readSlot } from "../app/inspect_sleep.ts";
import { type CapturedFrame, readCapture } from "../app/inspect_wire.ts";
import { resolveLink } from "../app/resolve_link.ts";
import { toHex } from "../base/bytes.ts";
import { NotFoundError, ProofError, RemoteProtocolError, UsageError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import { addCommand, type CommandLine, type Described } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import {
  blockLines,
  entryLines,
  feedLines,
  frameLine,
  type Line,
  proofLines,
  sleepFileLines,
  slotLines,
  treeNodeLines,
} from "./inspect_lines.ts";
import { addDirOption, chosenFolder } from "./options.ts";

interface InspectOptions extends CommonOptions {
  readonly dir?: string;
}

interface FeedOptions extends InspectOptions {
  readonly feed?: string;
}

interface BlockOptions extends FeedOptions {
  readonly raw?: boolean;
}

interface ProofOptions extends FeedOptions {
  readonly digest?: number;
  readonly hash?: boolean;
}

interface FileOptions extends CommonOptions {
  readonly slot?: number;
}

interface WireOptions extends CommonOptions {
  readonly link?: string;
}

export function addInspect({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "inspect [dir]",
    summary: "look inside: feeds, blocks, tree nodes, proofs, entries, files, captures",
    examples: [
      "inspect photos                              # both feeds in short",
      "inspect node 7 --dir photos --feed content",
      "inspect wire capture.bin --link dat://…",
    ],
  }).helpCommand(false);
  addDirOption(command).action((dir: string | undefined, options: InspectOptions) =>
    perform(options, (context) => inspectFeeds(chosenFolder(dir, options), context))
  );

  const addPart = (described: Described) => addDirOption(addCommand(command, described));
  addFeedOption(addPart({
    usage: "block <n>",
    summary: "one block of a feed: size, place, hash, and whether its bytes are right",
    examples: ["inspect block 3 --feed content --raw > block-3"],
  }))
    .option("--raw", "print its bytes instead, as they lie there")
    .action((block: string, options: BlockOptions) =>
      perform(options, (context) => inspectBlock(parseNumber(block, "block"), options, context))
    );
  addFeedOption(addPart({
    usage: "node <index>",
    summary: "one node of a feed's tree; block n is node 2n",
    examples: ["inspect node 7"],
  })).action((node: string, options: FeedOptions) =>
    perform(options, (context) => {
      using feed = openFeed(options, context);
      const shown = describeNode(feed, parseNumber(node, "node"));
      print(context, { what: "node", ...shown }, treeNodeLines(shown));
    })
  );
  addFeedOption(addPart({
    usage: "proof <n>",
    summary: "what a peer that asks for a block is sent along with it",
    examples: ["inspect proof 3 --hash", "inspect proof 3 --digest 11"],
  }))
    .addOption(
      new Option("--digest <n>", "the nodes that the peer has already, as its Request says it")
        .argParser((text) => parseNumber(text, "digest")),
    )
    .option("--hash", "for a Request of hashes alone")
    .action((block: string, options: ProofOptions) =>
      perform(options, (context) => {
        using feed = openFeed(options, context);
        const { digest = 0, hash = false } = options;
        const shown = describeProof(feed, { block: parseNumber(block, "block"), digest, hash });
        print(context, { what: "proof", ...shown }, proofLines(shown));
      })
    );
  addPart({
    usage: "entry [version]",
    summary: "one entry of the metadata, decoded, or all; 0 names the content feed",
    examples: ["inspect entry 12"],
  }).action((version: string | undefined, options: InspectOptions) =>
    perform(options, (context) => {
      using feed = openFeed({ ...options, feed: "metadata" }, context);
      const one = version === undefined ? undefined : parseNumber(version, "version");
      for (let seq = one ?? 0; seq <= (one ?? feed.length - 1); seq++) {
        if (one === undefined && !feed.hasBlock(seq)) continue;
        if (one === undefined && seq > 0 && !context.output.json) context.output.result("");
        const shown = describeEntry(feed, seq, context.world);
        print(context, { what: "entry", ...shown }, entryLines(shown));
      }
    })
  );
  addCommand(command, {
    usage: "file <file>",
    summary: "the header of a SLEEP file (tree, signatures, bitfield), or one of its entries",
    examples: ["inspect file .dat/metadata.tree --slot 7"],
  })
    .addOption(
      new Option("--slot <n>", "dump one entry").argParser((text) => parseNumber(text, "slot")),
    )
    .action((file: string, options: FileOptions) =>
      perform(options, (context) => inspectFile(file, options, context))
    );
  addCommand(command, {
    usage: "wire <file>",
    summary: "the frames in a capture of what one side of a connection sent",
    examples: ["inspect wire capture.bin --link dat://…"],
  })
    .option("--link <link>", "the archive that the connection was about, to decrypt it")
    .action((file: string, options: WireOptions) =>
      perform(options, (context) => inspectWire(file, options, context))
    );
}

function addFeedOption(command: Command): Command {
  return command.addOption(
    new Option("--feed <name>", "metadata (the default) or content"),
  );
}

function parseNumber(text: string, what: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  // Twice that, a node, must be exact as well.
  if (number <= Number.MAX_SAFE_INTEGER / 2) return number;
  throw new UsageError(`Cannot use "${text}" as a ${what}`, { hint: "give a whole number" });
}

function feedsOf(dir: string | undefined, { world }: CommandContext) {
  return findFeeds(resolve(world.cwd(), dir ?? "."));
}

function openFeed({ dir, feed }: FeedOptions, context: CommandContext): RawFeed {
  return new RawFeed(chooseFeed(feedsOf(dir, context), feed));
}

/** A record for programs, or lines for people. */
function print({ output }: CommandContext, record: object, lines: readonly Line[]): void {
  if (output.json) {
    output.record("inspect", record);
    return;
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, value] of lines) {
    output.result(`${output.paint("dim", name.padEnd(width))}  ${printable(value)}`.trimEnd());
  }
}

function inspectFeeds(dir: string | undefined, context: CommandContext): void {
  for (const [i, place] of feedsOf(dir, context).entries()) {
    using feed = new RawFeed(place);
    const shown = describeFeed(feed);
    if (i > 0 && !context.output.json) context.output.result("");
    print(context, { what: "feed", ...shown }, feedLines(shown));
  }
}

function inspectBlock(block: number, options: BlockOptions, context: CommandContext): void {
  using feed = openFeed(options, context);
  const { shown, bytes } = describeBlock(feed, block, context.world);
  if (!options.raw) return print(context, { what: "block", ...shown }, blockLines(shown));
  if (bytes === undefined) {
    throw new NotFoundError(`Cannot read block ${block} of ${shown.feed}: ${shown.problem}`);
  }
  context.output.bytes(bytes);
  if (shown.matches) return;
  throw new ProofError(`Cannot vouch for block ${block}: its bytes do not match the tree`);
}

function inspectFile(file: string, { slot }: FileOptions, context: CommandContext): void {
  const path = resolve(context.world.cwd(), file);
  const shown = describeSleepFile(path);
  if (shown.size === 0 && shown.problem !== undefined) {
    throw new NotFoundError(`Cannot look into "${path}": ${shown.problem}`);
  }
  if (slot === undefined) return print(context, { what: "file", ...shown }, sleepFileLines(shown));
  const entry = readSlot(path, slot);
  print(context, { what: "slot", ...entry }, slotLines(entry));
}

function inspectWire(file: string, { link }: WireOptions, context: CommandContext): void {
  const { world, output } = context;
  const path = resolve(world.cwd(), file);
  const publicKey = link === undefined ? undefined : resolveLink(link, world).key;
  let frames = 0;
  for (const item of readCapture(path, publicKey)) {
    if (!("frame" in item)) {
      const { offset, left, problem } = item;
      if (problem === undefined) {
        output.say(`The other ${left} bytes are encrypted: give --link to read on`);
        return;
      }
      throw new RemoteProtocolError(
        `Cannot read the last ${left} bytes of the capture, from byte ${offset} on: ${problem}`,
      );
    }
    frames++;
    const heard = output.json
      ? output.record("inspect", { what: "frame", ...frameRecord(item) })
      : output.result(printable(frameLine(item)));
    if (!heard) return;
  }
  output.say(output.paint("dim", `${frames} frames`));
}

/** The same with hex for bytes. The message's own `type` is a word, the frame's a number. */
function frameRecord({ message, ...frame }: CapturedFrame): object {
  if (message === undefined) return frame;
  const { type: _type, ...fields } = message;
  return { ...frame, fields: hexOf(fields) };
}

function hexOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(hexOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, hexOf(field)]));
}
