/** The archives among the golden vectors, in one shape, whatever they are called. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "../../../src/base/bytes.ts";
import { decodeEntry, type Stat } from "../../../src/core/archive/entry.ts";
import type { LoadEntry } from "../../../src/core/archive/steps.ts";
import { readVector, vectorsDir } from "../../support/vectors.ts";

export type RecordedStat = Omit<Stat, "absent">;

export interface RecordedBlock {
  readonly seq: number;
  /** Hex. */
  readonly bytes: string;
  readonly index?: { readonly type: string; readonly content: string };
  readonly name?: string;
  readonly stat?: (RecordedStat & { readonly bytes: string }) | null;
  readonly paths?: {
    readonly bytes: string;
    readonly endsWithSelf: boolean;
    readonly lists: readonly (readonly number[])[];
  };
}

interface Recorded {
  readonly name: string;
  readonly metadata: readonly RecordedBlock[];
}

/** One of metadata.json: how it reads at the end, and what differs between versions. */
export interface RecordedTree extends Recorded {
  readonly ops: readonly { readonly op: string; readonly path: string }[];
  readonly finalReads: Readonly<
    Record<string, {
      readonly readdir: readonly string[] | null;
      readonly get: RecordedStat | null;
      readonly lookupPath: readonly number[];
    }>
  >;
  readonly diffs: readonly {
    readonly from: number;
    readonly to: number;
    readonly diff: readonly {
      readonly type: "put" | "del";
      readonly path: string;
      readonly seq: number;
    }[];
  }[];
}

/** One of archives/: every version's listing, and its history. */
export interface RecordedArchive extends Recorded {
  readonly contentKey: string;
  readonly version: number;
  readonly history: readonly (
    & { readonly version: number; readonly type: "put" | "del"; readonly path: string }
    & Partial<RecordedStat>
  )[];
  readonly versions: readonly {
    readonly version: number;
    readonly tree: readonly ({ readonly path: string; readonly seq: number } & RecordedStat)[];
  }[];
}

export function recordedTrees(): readonly RecordedTree[] {
  return readVector<{ trees: readonly RecordedTree[] }>("metadata.json").trees;
}

export function recordedArchives(): readonly RecordedArchive[] {
  const names = readdirSync(join(vectorsDir(), "archives")).filter((name) => /\.json$/.test(name));
  return names.sort().map((name) => readVector<RecordedArchive>(join("archives", name)));
}

/** Both kinds. */
export function recordedMetadata(): readonly Recorded[] {
  return [...recordedTrees(), ...recordedArchives()];
}

/** The blocks that hold entries, from block 1 on. */
export function recordedEntries({ metadata }: Recorded): readonly Required<RecordedBlock>[] {
  return metadata.slice(1) as readonly Required<RecordedBlock>[];
}

export function loaderOf(recorded: Recorded): LoadEntry {
  return (seq) => decodeEntry(fromHex(recorded.metadata[seq].bytes), seq);
}

/** A Stat without the note of what was absent, as the vectors have it. */
export function plainStat(stat: Stat | undefined): RecordedStat | null {
  if (stat === undefined) return null;
  const { absent: _, ...plain } = stat;
  return plain;
}
