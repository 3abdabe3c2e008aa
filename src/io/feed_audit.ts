/**
 * Checking all there is of a feed on disk, in one pass from the first block to the last and without
 * changing anything. Source: spec of storage, section 15, "full verify".
 *
 * The length is that of the newest good signature; what the bits say is compared with it.
 */
import { equalBytes } from "../base/bytes.ts";
import { RangeSet } from "../base/ranges.ts";
import { turnBack } from "../base/turned_bit.ts";
import type { BlockSpan } from "../core/feed/block_store.ts";
import { blocksUpTo, parent, sibling } from "../core/feed/flat_tree.ts";
import type { TreeNode } from "../core/feed/node.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { HASH_BYTES, leafHash, rootHash } from "../crypto/hash.ts";
import { verify } from "../crypto/sign.ts";
import { AuditNodes, type Candidate, type Finding, type Spot } from "./audit_nodes.ts";
import type { AuditOptions, BlockPlace, FeedAudit } from "./audit_result.ts";
import { dropBeyond, strayBlocks, strayNodes } from "./feed_glance.ts";
import { atOnce } from "./pause.ts";
import type { RawFeed } from "./raw_feed.ts";

export type { AuditedBlocks, AuditOptions, BlockPlace, FeedAudit } from "./audit_result.ts";
export { glanceAtFeed } from "./feed_glance.ts";

/** Right values of nodes that are remembered at most; further ones count as unknown. */
const MAX_FIXES = 1_000_000;
const MAX_ROOT_CHOICES = 64;
/** Each costs 512 tries; where more are bad, it is no single bit that turned. */
const MAX_TURNED_SIGNATURES = 4;
/** A try costs a hash of the block, and there are eight to a byte. */
const MAX_TURNED_BYTES = 2048;
const MAX_TURNED_BLOCKS = 16;

export function auditFeed(raw: RawFeed, options: AuditOptions): FeedAudit {
  return atOnce(auditSteps(raw, options));
}

/** The same block by block, for whoever lets other work in between. */
export function auditSteps(raw: RawFeed, options: AuditOptions): Generator<void, FeedAudit, void> {
  return new Auditor(raw, options).run();
}

class Auditor {
  readonly #raw: RawFeed;
  readonly #options: AuditOptions;
  readonly #nodes: AuditNodes;
  /** The roots of what was visited so far. */
  #stack: Spot[] = [];
  readonly #counts = { blocks: 0, nodes: 0, signatures: 0 };
  readonly #badBlocks = new RangeSet();
  readonly #unmarkedBlocks = new RangeSet();
  readonly #turnedBlocks = new Map<number, Uint8Array>();
  /** Bad blocks whose bits were tried. */
  #triedBlocks = 0;
  readonly #badNodes = new RangeSet();
  readonly #fixes = new Map<number, TreeNode>();
  readonly #unmarkedNodes = new RangeSet();
  readonly #badSignatures = new RangeSet();
  readonly #turnedSignatures = new Map<number, Uint8Array>();
  /** Bad signatures whose bits were tried. */
  #turned = 0;
  #provenLength = 0;
  #provenRoots: readonly TreeNode[] = [];

  constructor(raw: RawFeed, options: AuditOptions) {
    this.#raw = raw;
    this.#options = options;
    this.#nodes = new AuditNodes(raw, (finding) => this.#take(finding));
  }

  *run(): Generator<void, FeedAudit, void> {
    const raw = this.#raw;
    const bitsLength = raw.lengthFromBits();
    const claimedLength = raw.newestSignature();
    const end = Math.max(bitsLength, claimedLength);
    let resignable = false;
    let rootsAtBits: readonly TreeNode[] | undefined;
    for (let block = 0; block < end;) {
      this.#options.onProgress?.(block, end);
      yield;
      block = this.#visit(block, end);
      if (block !== bitsLength) continue;
      rootsAtBits = this.#likelyRoots();
      resignable = this.#badNodes.isEmpty &&
        this.#stack.every(({ candidates }) => candidates.length === 1 && candidates[0].solid);
    }
    for (const { candidates } of this.#stack) this.#nodes.settle(candidates[0]?.findings, false);
    this.#options.onOffset?.(end, this.#byteOffset());

    const proven = this.#provenLength > 0 || end === 0;
    const length = this.#provenLength > 0 ? this.#provenLength : bitsLength;
    // Of what lies beyond, crashes may leave anything; only what is marked there counts.
    const leaves = [this.#badBlocks, this.#unmarkedBlocks];
    for (const set of leaves) set.remove(length, Number.MAX_SAFE_INTEGER);
    for (const set of [this.#badNodes, this.#unmarkedNodes]) dropBeyond(set, length);
    for (const index of this.#fixes.keys()) {
      if (blocksUpTo(index) > length) this.#fixes.delete(index);
    }
    return {
      faults: raw.faults,
      length,
      bitsLength,
      claimedLength,
      proven,
      resignable,
      roots: this.#provenLength > 0
        ? this.#provenRoots
        : rootsAtBits ?? (length > 0 ? undefined : []),
      counts: this.#counts,
      badBlocks: this.#badBlocks,
      unmarkedBlocks: this.#unmarkedBlocks,
      turnedBlocks: this.#turnedBlocks,
      badNodes: this.#badNodes,
      fixes: this.#fixes,
      unmarkedNodes: this.#unmarkedNodes,
      badSignatures: this.#badSignatures,
      turnedSignatures: this.#turnedSignatures,
      strayBlocks: strayBlocks(raw, length),
      strayNodes: strayNodes(raw, length),
    };
  }

  #take(finding: Finding): void {
    switch (finding.kind) {
      case "block":
        return this.#badBlocks.add(finding.block, finding.block + 1);
      case "lost-node":
        this.#fixes.delete(finding.index);
        return this.#badNodes.add(finding.index, finding.index + 1);
      case "unmarked-node":
        return this.#unmarkedNodes.add(finding.index, finding.index + 1);
      case "node": {
        const { index, hash, size } = finding.node;
        this.#badNodes.add(index, index + 1);
        if (this.#fixes.size < MAX_FIXES) this.#fixes.set(index, { index, hash, size });
      }
    }
  }

  /** Look at a block, or pass over a whole page of which nothing is here. Gives the next one. */
  #visit(block: number, end: number): number {
    const { bitfield, staged } = this.#raw;
    const next = block + BLOCKS_PER_PAGE;
    if (
      block % BLOCKS_PER_PAGE === 0 && next <= end &&
      bitfield.isPageEmpty(block / BLOCKS_PER_PAGE) &&
      staged?.isPageEmpty(block / BLOCKS_PER_PAGE) !== false && !this.#holdsNodes(block, next)
    ) {
      this.#push(this.#nodes.unvisited(block + next - 1));
      for (let length = block + 1; length <= next; length++) this.#checkSignature(length);
      return next;
    }
    this.#options.onOffset?.(block, this.#byteOffset());
    this.#push(this.#visitLeaf(block));
    this.#checkSignature(block + 1);
    return block + 1;
  }

  /** Whether the tree file has anything between two blocks: then only the bits are missing. */
  #holdsNodes(from: number, to: number): boolean {
    const end = Math.min(2 * to - 1, this.#raw.nodeSlots);
    for (let index = 2 * from; index < end; index++) {
      if (this.#raw.node(index) !== undefined) return true;
    }
    return false;
  }

  #visitLeaf(block: number): Spot {
    const { bitfield, staged } = this.#raw;
    const marked = bitfield.hasNode(2 * block);
    if (marked) this.#counts.nodes++;
    const isFinal = bitfield.hasBlock(block);
    // A staged bit counts only for a block whose hash is known.
    const isStaged = !isFinal && marked && staged?.hasBlock(block) === true;
    if (!isFinal && !isStaged) return this.#visitUnheld(block);
    this.#counts.blocks++;
    const { node, bytes } = this.#readBlock(block, isFinal ? "final" : "staged");
    if (node !== undefined) this.#tell(block, bytes!);
    else if (bytes !== undefined) this.#turnBack(block, bytes);
    const found = node ?? (bytes && leafOf(block, bytes));
    return this.#nodes.leaf(block, found, found === undefined);
  }

  #tell(block: number, bytes: Uint8Array, turned = false): void {
    const byteOffset = this.#byteOffset();
    if (byteOffset !== undefined) this.#options.onBlock?.(block, bytes, { byteOffset, turned });
  }

  #turnBack(block: number, bytes: Uint8Array): void {
    if (!this.#options.turnsBlocks) return;
    if (bytes.length > MAX_TURNED_BYTES || this.#triedBlocks++ >= MAX_TURNED_BLOCKS) return;
    const hash = this.#raw.slot(2 * block).slice(0, HASH_BYTES);
    const right = turnBack(bytes, (tried) => equalBytes(leafHash(tried), hash));
    if (right === undefined) return;
    this.#turnedBlocks.set(block, right);
    this.#tell(block, right, true);
  }

  #visitUnheld(block: number): Spot {
    const stored = this.#raw.node(2 * block);
    if (stored !== undefined && this.#options.blocks.mayHold(block)) {
      const { node, bytes } = this.#readBlock(block, "final");
      if (node !== undefined) {
        this.#unmarkedBlocks.add(block, block + 1);
        this.#tell(block, bytes!);
        return this.#nodes.leaf(block, node, false);
      }
    }
    return this.#nodes.leaf(block, undefined, false);
  }

  /**
   * The block's bytes; `node` is their leaf if its hash is the stored one. Places and sizes may be
   * damaged themselves, so all that is known of them is tried.
   */
  #readBlock(
    block: number,
    place: BlockPlace,
  ): { readonly node?: TreeNode; readonly bytes?: Uint8Array } {
    const { blocks } = this.#options;
    const stored = this.#raw.node(2 * block);
    let first: Uint8Array | undefined;
    for (const span of this.#spansOf(block, stored)) {
      const bytes = blocks.read(span, place);
      if (bytes === undefined) continue;
      const node = leafOf(block, bytes);
      const slot = this.#raw.slot(2 * block);
      if (equalBytes(node.hash, slot.subarray(0, HASH_BYTES))) return { node, bytes };
      first ??= bytes.slice();
    }
    return { bytes: first };
  }

  *#spansOf(block: number, stored: TreeNode | undefined): Generator<BlockSpan> {
    const byteOffset = this.#byteOffset();
    if (stored !== undefined && byteOffset !== undefined) {
      yield { block, byteOffset, size: stored.size };
    }
    const hint = this.#options.blocks.hint?.(block, byteOffset);
    if (hint !== undefined) yield hint;
    const above = this.#raw.node(parent(2 * block));
    const beside = this.#raw.node(sibling(2 * block));
    if (above !== undefined && beside !== undefined && byteOffset !== undefined) {
      const size = above.size - beside.size;
      if (size >= 0 && size !== stored?.size) yield { block, byteOffset, size };
    }
  }

  /** Where the next block begins, as far as the roots before it are known. */
  #byteOffset(): number | undefined {
    let offset = 0;
    for (const { candidates } of this.#stack) {
      if (candidates.length === 0) return undefined;
      offset += candidates[0].size;
    }
    return offset;
  }

  #push(spot: Spot): void {
    let top = spot;
    let left = this.#stack.at(-1);
    while (left !== undefined && parent(left.index) === parent(top.index)) {
      this.#stack.pop();
      top = this.#nodes.join(left, top);
      if (this.#raw.bitfield.hasNode(top.index)) this.#counts.nodes++;
      left = this.#stack.at(-1);
    }
    this.#stack.push(top);
  }

  #checkSignature(length: number): void {
    const signature = this.#raw.signature(length);
    if (signature === undefined) return;
    this.#counts.signatures++;
    const covers = this.#stack.reduce((sum, { index }) => Math.max(sum, blocksUpTo(index)), 0);
    const chosen = covers === length ? this.#findRoots(signature) : undefined;
    if (chosen === undefined) {
      this.#badSignatures.add(length, length + 1);
      const roots = covers === length ? this.#likelyRoots() : undefined;
      if (roots === undefined || this.#turned++ >= MAX_TURNED_SIGNATURES) return;
      const root = rootHash(roots);
      const { publicKey } = this.#options;
      const right = turnBack(signature, (bytes) => verify(root, bytes, publicKey));
      if (right === undefined) return;
      this.#turnedSignatures.set(length, right);
      return this.#prove(length, this.#stack.map(({ candidates }) => candidates[0]));
    }
    this.#prove(length, chosen);
  }

  #prove(length: number, roots: readonly Candidate[]): void {
    this.#provenLength = length;
    this.#provenRoots = roots.map(({ index, hash, size }) => ({ index, hash, size }));
    this.#stack = roots.map((root) => {
      this.#nodes.settle(root.findings);
      const { index, hash, size } = root;
      return { index, candidates: [{ index, hash, size, solid: true }], loose: false };
    });
  }

  /** Those candidates of the roots that the signature is for. */
  #findRoots(signature: Uint8Array): Candidate[] | undefined {
    let tried = 0;
    const choose = (at: number, chosen: Candidate[]): Candidate[] | undefined => {
      if (at === this.#stack.length) {
        tried++;
        const good = verify(rootHash(chosen), signature, this.#options.publicKey);
        return good ? chosen : undefined;
      }
      for (const candidate of this.#stack[at].candidates) {
        if (tried >= MAX_ROOT_CHOICES) return undefined;
        const found = choose(at + 1, [...chosen, candidate]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return choose(0, []);
  }

  #likelyRoots(): TreeNode[] | undefined {
    const roots = this.#stack.map(({ candidates }) => candidates[0]);
    return roots.includes(undefined as unknown as Candidate) ? undefined : roots;
  }
}

function leafOf(block: number, bytes: Uint8Array): TreeNode {
  return { index: 2 * block, hash: leafHash(bytes), size: bytes.length };
}
