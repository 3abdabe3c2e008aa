/**
 * Which of several contradicting things is wrong: a block, its leaf, a node above, or a signature.
 *
 * From the leaves upwards each node gets candidates: what its slot holds, and what follows from
 * below. A candidate carries what would be wrong if it were right. Where a parent or a signature
 * fits one combination of candidates, that one is right, for nothing else hashes to the same; what it
 * carries is reported. So a single wrong byte is blamed on the place where it is, and the right
 * value of a node is known wherever its block or its children are.
 */
import { equalBytes, readUint64BE, writeUint64BE } from "../base/bytes.ts";
import { turnBack } from "../base/turned_bit.ts";
import { parentOf } from "../core/feed/append.ts";
import { parent } from "../core/feed/flat_tree.ts";
import { NODE_BYTES, readNode, type TreeNode } from "../core/feed/node.ts";
import { HASH_BYTES } from "../crypto/hash.ts";
import type { RawFeed } from "./raw_feed.ts";

/** One thing that is wrong, or lags behind. */
export type Finding =
  /** The bytes of a block that should be here are not those that its leaf is about. */
  | { readonly kind: "block"; readonly block: number }
  /** The node's slot holds something else, or nothing; this is what belongs there. */
  | { readonly kind: "node"; readonly node: TreeNode }
  /** The node's slot is wrong or blank, and nothing here says what belongs there. */
  | { readonly kind: "lost-node"; readonly index: number }
  /** The node is right; its bit is not set. */
  | { readonly kind: "unmarked-node"; readonly index: number };

type Findings = undefined | Finding | readonly Findings[] | Unconfirmed;

/** Of these, nothing signed confirms the values that were worked out. */
interface Unconfirmed {
  readonly kind: "unconfirmed";
  readonly findings: Findings;
}

/** A possible value of a node. */
export interface Candidate extends TreeNode {
  /** Whether it follows from the block's bytes, or fits its children. */
  readonly solid: boolean;
  readonly findings?: Findings;
}

/** A node with what it may be, the likeliest first; nothing if nothing is known of it. */
export interface Spot {
  readonly index: number;
  readonly candidates: readonly Candidate[];
  /** Its bit is not set, and nothing confirms what lies in its slot: maybe left by a crash. */
  readonly loose: boolean;
}

/** More ways to be wrong at once are not told apart. */
const MAX_CANDIDATES = 5;

export class AuditNodes {
  readonly #raw: RawFeed;
  readonly #report: (finding: Finding) => void;

  constructor(raw: RawFeed, report: (finding: Finding) => void) {
    this.#raw = raw;
    this.#report = report;
  }

  /**
   * Report what a candidate carries, now that it is right, or the likeliest of several. Values that
   * are not `confirmed` by anything above count as unknown.
   */
  settle(findings: Findings, confirmed = true): void {
    const waiting: { findings: Findings; confirmed: boolean }[] = [{ findings, confirmed }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { findings, confirmed } = next;
      if (findings === undefined) continue;
      if (isList(findings)) {
        for (const part of findings) waiting.push({ findings: part, confirmed });
      } else if (findings.kind === "unconfirmed") {
        waiting.push({ findings: findings.findings, confirmed: false });
      } else if (confirmed || findings.kind === "block" || findings.kind === "lost-node") {
        this.#report(findings);
      } else if (findings.kind === "node") {
        this.#report({ kind: "lost-node", index: findings.node.index });
      }
    }
  }

  /**
   * A leaf, from its slot and from its block.
   *
   * @param bytes Hash and size of the block's bytes; undefined if they are not here.
   * @param lost Whether the block should be here and cannot be read.
   */
  leaf(block: number, bytes: TreeNode | undefined, lost: boolean): Spot {
    const index = 2 * block;
    const stored = this.#raw.node(index);
    const marked = this.#raw.bitfield.hasNode(index);
    const unmarked: Findings = marked ? undefined : { kind: "unmarked-node", index };
    const damaged: Findings = lost || bytes !== undefined ? { kind: "block", block } : undefined;
    if (stored === undefined) {
      if (bytes === undefined) {
        if (damaged !== undefined) this.settle(damaged);
        if (marked) this.settle({ kind: "lost-node", index });
        return { index, candidates: [], loose: false };
      }
      return spot({ ...bytes, solid: true, findings: { kind: "node", node: bytes } });
    }
    if (bytes === undefined) {
      const findings = [damaged, unmarked];
      return spot({ ...stored, solid: false, findings }, !marked && !lost);
    }
    if (equalBytes(bytes.hash, stored.hash)) {
      this.settle(bytes.size === stored.size ? unmarked : { kind: "node", node: bytes });
      return spot({ ...bytes, solid: true });
    }
    const candidates = [
      { ...stored, solid: false, findings: [damaged, unmarked] },
      { ...bytes, solid: true, findings: { kind: "node", node: bytes } as const },
    ];
    return { index, candidates, loose: false };
  }

  /** A node of which nothing below is looked at. */
  unvisited(index: number): Spot {
    const stored = this.#raw.node(index);
    const marked = this.#raw.bitfield.hasNode(index);
    if (stored === undefined) {
      if (marked) this.settle({ kind: "lost-node", index });
      return { index, candidates: [], loose: false };
    }
    const findings: Findings = marked ? undefined : { kind: "unmarked-node", index };
    return spot({ ...stored, solid: false, findings }, !marked);
  }

  /** The node above two siblings. */
  join(left: Spot, right: Spot): Spot {
    const index = parent(left.index);
    const stored = this.#raw.node(index);
    const marked = this.#raw.bitfield.hasNode(index);
    if (left.candidates.length > 0 && right.candidates.length > 0) {
      const fitting = this.#fit(left, right, stored, marked);
      if (fitting !== undefined) return fitting;
      if (!left.loose && !right.loose) return this.#disagree(left, right, stored, marked);
    } else if (stored !== undefined && marked && !left.loose && !right.loose) {
      const mended = this.#turnBack(left, right, stored);
      if (mended !== undefined) return mended;
    }
    for (const child of [left, right]) {
      if (!child.loose) this.settle(child.candidates[0]?.findings, false);
    }
    return this.unvisited(index);
  }

  /** Where a combination of children hashes to what the parent's slot holds, that settles it. */
  #fit(
    left: Spot,
    right: Spot,
    stored: TreeNode | undefined,
    marked: boolean,
  ): Spot | undefined {
    if (stored === undefined) return undefined;
    for (const l of left.candidates) {
      for (const r of right.candidates) {
        const computed = parentOf(l, r);
        if (!equalBytes(computed.hash, stored.hash)) continue;
        this.settle([l.findings, r.findings]);
        // The hash covers the sum of the sizes; the size beside it may be damaged all the same.
        if (computed.size !== stored.size) this.settle({ kind: "node", node: computed });
        else if (!marked) this.settle({ kind: "unmarked-node", index: stored.index });
        return spot({ ...computed, solid: true });
      }
    }
    return undefined;
  }

  /** Nothing fits: the parent or one of the children is wrong, as the nodes above will tell. */
  #disagree(left: Spot, right: Spot, stored: TreeNode | undefined, marked: boolean): Spot {
    const index = parent(left.index);
    const computed: Candidate[] = [];
    for (const l of left.candidates) {
      for (const r of right.candidates) {
        if (computed.length >= MAX_CANDIDATES) break;
        const node = parentOf(l, r);
        const findings = [l.findings, r.findings, { kind: "node", node } as const];
        computed.push({ ...node, solid: l.solid && r.solid, findings });
      }
    }
    if (stored === undefined || !marked) return { index, candidates: computed, loose: false };
    const mended = this.#turnBack(left, right, stored);
    if (mended !== undefined) return mended;
    const findings = this.#blamed(left, right).map(({ index, candidates }): Findings => [
      { kind: "lost-node", index },
      { kind: "unconfirmed", findings: candidates[0].findings },
    ]);
    const kept = { ...stored, solid: false, findings };
    const candidates = computed[0].solid ? [...computed, kept] : [kept, ...computed];
    return { index, candidates, loose: false };
  }

  /** Which children are wrong, should the parent be right. */
  #blamed(left: Spot, right: Spot): Spot[] {
    const both = [left, right];
    const unsure = both.filter(({ candidates }) => !candidates.some(({ solid }) => solid));
    if (unsure.length > 0) return unsure;
    const replaced = both.filter(({ index, candidates }) => {
      const stored = this.#raw.node(index);
      return stored === undefined || !sameNode(stored, candidates[0]);
    });
    return replaced.length > 0 ? replaced : both;
  }

  /** Whether one turned bit in a child is all that is wrong. */
  #turnBack(left: Spot, right: Spot, stored: TreeNode): Spot | undefined {
    for (const [child, beside] of [[left, right], [right, left]]) {
      if (child.candidates.some(({ solid }) => solid)) continue;
      for (const other of beside.candidates) {
        const fits = (slot: Uint8Array) => {
          const node = nodeIn(slot, child.index);
          if (node === undefined || node.size + other.size !== stored.size) return false;
          return equalBytes(parentOf(node, other).hash, stored.hash);
        };
        const slot = turnBack(this.#raw.slot(child.index).slice(), fits);
        if (slot === undefined) continue;
        this.settle([other.findings, { kind: "node", node: nodeIn(slot, child.index)! }]);
        return spot({ ...stored, solid: true });
      }
    }
    return undefined;
  }
}

function isList(findings: Findings): findings is readonly Findings[] {
  return Array.isArray(findings);
}

function spot(candidate: Candidate, loose = false): Spot {
  return { index: candidate.index, candidates: [candidate], loose };
}

function nodeIn(slot: Uint8Array, index: number): TreeNode | undefined {
  if (!Number.isSafeInteger(readUint64BE(slot, HASH_BYTES))) return undefined;
  return readNode(slot, 0, index);
}

/** Whether two nodes say the same. */
export function sameNode(a: TreeNode, b: TreeNode): boolean {
  return a.size === b.size && equalBytes(a.hash, b.hash);
}

/** The bytes of a node's slot. */
export function slotOf(node: TreeNode): Uint8Array {
  const slot = new Uint8Array(NODE_BYTES);
  slot.set(node.hash);
  writeUint64BE(slot, HASH_BYTES, node.size);
  return slot;
}
