/** Peers that do not say what they should: what becomes of a message on its way out. */
import { MAX_TRACKED_BLOCKS, WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
import type { Data, Message } from "../../src/core/wire/messages.ts";
import type { Swarm } from "../support/swarm.ts";

export type Tamper = (message: Message) => Message | undefined;

/** Each makes one liar, which draws from the swarm's randomness. */
export const LIARS: Readonly<Record<string, (swarm: Swarm) => Tamper>> = {
  "flips bits in blocks": ({ random }) =>
    onData((data) => {
      if (data.value === undefined || random.below(3) > 0) return data;
      const value = data.value.slice();
      value[random.below(value.length)] ^= 1 << random.below(8);
      return { ...data, value };
    }),
  "cuts blocks short": ({ random }) =>
    onData((data) => {
      if (random.below(3) > 0) return data;
      return { ...data, value: data.value?.subarray(0, random.below(data.value.length)) };
    }),
  "sends wrong proofs": ({ random }) =>
    onData((data) => {
      const at = random.below(data.nodes.length + 1);
      const node = data.nodes[at];
      if (node === undefined) return { ...data, signature: random.bytes(64) };
      const wrong = [
        { ...node, hash: random.bytes(32) },
        { ...node, size: node.size + 1 },
        { ...node, index: node.index + 2 },
      ][random.below(3)];
      return { ...data, nodes: data.nodes.with(at, wrong) };
    }),
  "leaves nodes out": () => onData((data) => ({ ...data, nodes: data.nodes.slice(0, -1) })),
  "leaves signatures out": () => onData((data) => ({ ...data, signature: undefined })),
  "sends proofs without blocks": () => onData((data) => ({ ...data, value: undefined })),
  "sends other blocks than asked for": () => {
    let last: Data | undefined;
    return onData((data) => {
      const other = last ?? data;
      last = data;
      return other;
    });
  },
  "sends blocks under wrong numbers": () => onData((data) => ({ ...data, index: data.index + 1 })),
  "claims all blocks there can be": () =>
    onHave((have) => ({
      ...have,
      start: 0,
      length: MAX_TRACKED_BLOCKS,
      bitfield: undefined,
    })),
  "claims blocks beyond the end": ({ random }) =>
    onHave((have) => {
      const start = random.below(1000);
      const bitfield = encodeHaveRuns([{ start, end: start + 100 }], WANT_BLOCKS);
      return { ...have, start: 0, length: WANT_BLOCKS, bitfield };
    }),
  "claims and refuses": () => onData(({ index }) => ({ type: "unhave", start: index, length: 1 })),
  "takes its claims back": ({ random }) => (message) => {
    if (message.type !== "have" || random.below(2) > 0) return message;
    return { type: "unhave", start: message.start, length: message.length };
  },
  "takes everything back again and again": ({ random }) =>
    onData((data) => {
      if (random.below(4) > 0) return data;
      return { type: "unhave", start: 0, length: Number.MAX_SAFE_INTEGER };
    }),
  "stops answering": ({ random }) => {
    let left = random.below(20);
    return onData((data) => left-- > 0 ? data : undefined);
  },
  "answers now and then": (swarm) => {
    let answeredAt = 0;
    return onData((data) => {
      if (swarm.now - answeredAt < 10_000) return undefined;
      answeredAt = swarm.now;
      return data;
    });
  },
  "says nothing but hello": () => (message) =>
    message.type === "feed" || message.type === "handshake" ? message : undefined,
  "never shakes hands": () => (message) => message.type === "handshake" ? undefined : message,
  "says it is done from the start": () => (message) =>
    message.type === "want" ? { type: "info", uploading: false, downloading: false } : message,
};

function onData(change: (data: Data) => Message | undefined): Tamper {
  return (message) => message.type === "data" ? change(message) : message;
}

function onHave(change: (have: Extract<Message, { type: "have" }>) => Message): Tamper {
  return (message) => message.type === "have" ? change(message) : message;
}
