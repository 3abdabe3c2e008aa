import assert from "node:assert/strict";
import { LocalProtocolError } from "../../../src/base/errors.ts";
import type { Outgoing } from "../../../src/core/wire/frame_writer.ts";
import { SendRules } from "../../../src/core/wire/send_rules.ts";

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);

function feed(channel: number, discoveryKey = KEY): Outgoing {
  return { channel, message: { type: "feed", discoveryKey } };
}

function handshake(channel: number, extensions: string[] = []): Outgoing {
  return { channel, message: { type: "handshake", live: true, extensions, ack: false } };
}

function want(channel: number): Outgoing {
  return { channel, message: { type: "want", start: 0, length: 0 } };
}

function extension(id: number): Outgoing {
  return { channel: 0, message: { type: "extension", id, payload: new Uint8Array(0) } };
}

const ENCRYPTED_FEED_WITH_NONCE: Outgoing = {
  channel: 1,
  message: { type: "feed", discoveryKey: OTHER_KEY, nonce: new Uint8Array(24) },
};

Deno.test("A connection may begin with Feed, keepalive and Handshake, and go on with anything", () => {
  const rules = new SendRules(KEY);
  const items = [
    feed(0),
    "keepalive" as const,
    handshake(0, ["a", "b"]),
    want(0),
    extension(1),
    feed(255, OTHER_KEY),
    want(255),
    "keepalive" as const,
  ];
  for (const item of items) rules.check(item);
});

const ILLEGAL: [what: string, before: Outgoing[], item: Outgoing][] = [
  ["a keepalive before the Feed", [], "keepalive"],
  ["a Handshake before the Feed", [], handshake(0)],
  ["a message before the Feed", [], want(0)],
  ["a first Feed on channel 1", [], feed(1)],
  ["a first Feed of another archive", [], feed(0, OTHER_KEY)],
  ["a message before the Handshake", [feed(0)], want(0)],
  ["a second Feed before the Handshake", [feed(0)], feed(1, OTHER_KEY)],
  ["a second Handshake", [feed(0), handshake(0)], handshake(0)],
  ["a Handshake on another channel", [feed(0)], handshake(1)],
  ["a message on a channel without Feed", [feed(0), handshake(0)], want(1)],
  ["a Feed on a channel in use", [feed(0), handshake(0)], feed(0, OTHER_KEY)],
  ["a nonce on a later Feed", [feed(0), handshake(0)], ENCRYPTED_FEED_WITH_NONCE],
  ["unsorted extensions", [feed(0)], handshake(0, ["b", "a"])],
  ["an extension twice", [feed(0)], handshake(0, ["a", "a"])],
  ["an extension that our Handshake did not name", [feed(0), handshake(0, ["a"])], extension(1)],
];

for (const [what, before, item] of ILLEGAL) {
  Deno.test(`SendRules refuse ${what}`, () => {
    const rules = new SendRules(KEY);
    for (const earlier of before) rules.check(earlier);
    assert.throws(() => rules.check(item), LocalProtocolError);
  });
}
