/** Messages that mean something to a core, some of them true, most of them not. */
import { WANT_ALIGNMENT, WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
import type { Data, Have, Message } from "../../src/core/wire/messages.ts";
import type { Random } from "../support/random.ts";
import type { FuzzWorld, Remote } from "./fuzz_world.ts";

const HUGE = Number.MAX_SAFE_INTEGER;
const EDGES = [0, 1, WANT_ALIGNMENT, WANT_BLOCKS, 2 ** 32 - 1, 2 ** 32, 2 ** 52, HUGE - 1, HUGE];

/** The block of the feed of our own that fills an outbox with a few answers. */
export const LARGE_BLOCK = 10;

/** Numbers that hit something, and numbers at the edges. */
export function number(random: Random): number {
  const roll = random.below(10);
  if (roll < 6) return random.below(40);
  return roll < 8 ? WANT_ALIGNMENT * random.below(300) : EDGES[random.below(EDGES.length)];
}

/** Anything, by type. */
export function anyMessage(world: FuzzWorld, remote: Remote): Message {
  const { random } = world;
  const flag = random.below(2) === 0;
  const [start, length, index] = [number(random), number(random), number(random)];
  switch (random.below(12)) {
    case 0:
    case 1:
      return anyHave(random);
    case 2:
      return { type: "unhave", start, length };
    case 3:
      return { type: "want", start: flag ? start - start % WANT_ALIGNMENT : start, length };
    case 4:
      return { type: "unwant", start, length };
    case 5:
      return { type: "request", index, bytes: flag ? 0 : start, hash: flag, nodes: length };
    case 6:
      return { type: "cancel", index, bytes: 0, hash: flag };
    case 7:
      return { type: "info", uploading: flag, downloading: random.below(2) === 0 };
    case 8:
      return { type: "extension", id: index, payload: random.bytes(random.below(50)) };
    case 9:
      return anyFeed(world);
    case 10:
      return {
        type: "handshake",
        id: random.below(20) === 0 ? world.id : random.bytes(1 + random.below(64)),
        live: flag,
        extensions: [],
        ack: random.below(2) === 0,
      };
    default:
      return anyData(world, remote);
  }
}

/** Many messages of one kind. */
export interface Flood {
  readonly count: number;
  readonly channel: number;
  readonly message: (n: number) => Message;
  /** The disk answers at once, and nothing that is sent is taken. */
  readonly isUnread?: boolean;
}

/** Each kind fills another of the places where something may wait. */
export function anyFlood(world: FuzzWorld, remote: Remote): Flood {
  const { random } = world;
  const channel = random.below(3);
  const request = { type: "request", index: random.below(40), bytes: 0, nodes: 0 } as const;
  switch (random.below(100)) {
    case 0: {
      // Of what is here, most likely: else it ends soon.
      const message = { ...request, index: random.below(10), hash: true };
      return { count: 20_000, channel: 0, message: () => message, isUnread: true };
    }
    case 1:
    case 2:
    case 3:
      return {
        count: 1200,
        channel: 0,
        message: (n) => ({ type: "want", start: n * WANT_ALIGNMENT, length: WANT_ALIGNMENT }),
      };
  }
  switch (random.below(7)) {
    case 0: {
      const first = anyMessage(world, remote);
      return { count: random.below(300), channel, message: () => first };
    }
    case 1:
      return {
        count: random.below(30),
        channel: random.below(256),
        message: () => ({ type: "feed", discoveryKey: random.bytes(32) }),
      };
    case 2: {
      const bitfield = random.bytes(30_000);
      const message = { type: "have", start: 0, length: 1, bitfield, ack: false } as const;
      return { count: random.below(40), channel, message: () => message };
    }
    case 3:
    case 4: {
      const message = { ...request, index: LARGE_BLOCK, hash: false };
      return { count: random.below(40), channel: 0, message: () => message, isUnread: true };
    }
    default:
      return {
        count: random.below(400),
        channel,
        message: (n) => ({ ...request, index: request.index + n % 3, hash: false }),
      };
  }
}

export function anyFeed({ random, archives }: FuzzWorld): Message {
  const known = [...archives.values()];
  const { source } = known[random.below(known.length)];
  const discoveryKey = random.below(4) > 0 ? source.discoveryKey : random.bytes(32);
  return { type: "feed", discoveryKey };
}

function anyHave(random: Random): Have {
  const start = number(random);
  const length = number(random);
  const ack = random.below(4) === 0;
  switch (random.below(5)) {
    case 0:
      return { type: "have", start, length, ack };
    case 1:
      return { type: "have", start, length, bitfield: random.bytes(random.below(60)), ack };
    case 2: {
      const bitfield = encodeHaveRuns([{ start: 0, end: random.below(60) }], WANT_BLOCKS);
      return { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack };
    }
    case 3: {
      const runs = Array.from({ length: random.below(200) }, (_, n) => ({
        start: 3 * n,
        end: 3 * n + 1 + random.below(2),
      }));
      const bitfield = encodeHaveRuns(runs, WANT_BLOCKS);
      return {
        type: "have",
        start: WANT_BLOCKS * random.below(5),
        length: WANT_BLOCKS,
        bitfield,
        ack,
      };
    }
    default:
      return { type: "have", start: random.below(60), length: 1 + random.below(3), ack };
  }
}

/** An answer: to what was asked or not, right or wrong in one place. */
function anyData(world: FuzzWorld, remote: Remote): Message {
  const { random } = world;
  const recent = remote.asked[random.below(remote.asked.length)];
  const block = random.below(40);
  const guess = { feed: remote.primary, block, hashOnly: random.below(4) === 0, digest: 0 };
  const asked = recent === undefined || random.below(3) === 0 ? guess : recent;
  const answer = world.answer(asked, world.historyOf(asked.feed, random.below(9) === 0));
  return answer === undefined ? { type: "data", index: block, nodes: [] } : spoil(random, answer);
}

/** A Data that is wrong in one place. */
export function spoil(random: Random, data: Data): Data {
  const { value, nodes } = data;
  const at = random.below(nodes.length || 1);
  switch (random.below(9)) {
    case 0: {
      if (value === undefined || value.length === 0) return data;
      const wrong = value.slice();
      wrong[random.below(wrong.length)] ^= 1 << random.below(8);
      return { ...data, value: wrong };
    }
    case 1:
      return { ...data, value: undefined };
    case 2:
      return { ...data, index: number(random) };
    case 3:
      return { ...data, signature: random.below(2) === 0 ? undefined : random.bytes(64) };
    case 4:
      return { ...data, nodes: nodes.slice(0, -1) };
    case 5:
      return { ...data, nodes: [...nodes, ...nodes] };
    case 6:
    case 7: {
      if (nodes.length === 0) return { ...data, value: random.bytes(3) };
      const node = nodes[at];
      const wrong = [
        { ...node, hash: random.bytes(32) },
        { ...node, size: number(random) },
        { ...node, index: number(random) },
      ][random.below(3)];
      return { ...data, nodes: nodes.with(at, wrong) };
    }
    default:
      return { ...data, nodes: [...nodes].reverse() };
  }
}
