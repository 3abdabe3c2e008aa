/**
 * Which packets of hyperswarm's DHT are let in: answers. Whoever is ephemeral, as we are, is asked
 * nothing, and stores nothing. Source: spec of discovery, section 7, "DHT".
 */
import { Reader } from "protobufjs/minimal";

const TYPE_FIELD = 1;
const RESPONSE = 3;
const RID_FIELD = 2;

/** Fields of a message, each once. */
const MAX_FIELDS = 16;

export function isHyperdhtAnswer(bytes: Uint8Array): boolean {
  try {
    const reader = Reader.create(bytes);
    let [type, rid] = [0, -1];
    for (let fields = 0; reader.pos < reader.len; fields++) {
      if (fields === MAX_FIELDS) return false;
      const tag = reader.uint32();
      if (tag === TYPE_FIELD << 3) type = reader.uint32();
      else if (tag === RID_FIELD << 3) rid = reader.uint32();
      else reader.skipType(tag & 7);
    }
    return type === RESPONSE && rid >= 0 && rid < 65536;
  } catch {
    return false; // no protocol buffer
  }
}
