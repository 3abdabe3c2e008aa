import assert from "node:assert/strict";
import { cryptoBackend } from "../../src/crypto/backend.ts";
import { nobleBackend } from "../../src/crypto/noble.ts";
import { ROOM_BYTES, type Rooms } from "../../src/crypto/rooms.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const { rooms } = cryptoBackend() as { rooms: Rooms };

/** Bytes that differ from place to place. */
function fill(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) bytes[at] = at * 31 + (at >> 8);
  return bytes;
}

/** Work in a room that is given back. */
function inRoom(work: (room: Uint8Array) => void): void {
  const room = rooms.take()!;
  try {
    work(fill(room));
  } finally {
    rooms.give(room);
  }
}

const LENGTHS = [0, 1, 127, 128, 129, 255, 256, 257, 384, 385, 511, 512, 513, 65_535, 65_536];

Deno.test("what lies in a room has the hash that it has elsewhere, and stays as it is", () => {
  inRoom((room) => {
    const before = room.slice();
    for (const length of [...LENGTHS, ROOM_BYTES - 77]) {
      for (const front of [0, 9, 119, 128, 200]) {
        const [prefix, bytes] = [before.subarray(7, 7 + front), room.subarray(77, 77 + length)];
        for (const pieces of [[prefix, bytes], [bytes, prefix], [prefix, bytes, bytes]]) {
          const expected = cryptoBackend().hash(pieces.map((piece) => piece.slice()));
          assertSameBytes(cryptoBackend().hash(pieces), expected);
        }
      }
    }
    assertSameBytes(room, before);
  });
});

Deno.test("the hash of a room is noble's, with a key as well", () => {
  inRoom((room) => {
    const bytes = room.subarray(3, 3 + 5000);
    for (const options of [{}, { key: fill(new Uint8Array(32)) }]) {
      assertSameBytes(
        cryptoBackend().hash([bytes], options),
        nobleBackend.hash([bytes.slice()], options),
      );
    }
  });
});

Deno.test("a keystream in a room is noble's however it is cut, and touches nothing beside", () => {
  inRoom((room) => {
    const [key, nonce] = [fill(new Uint8Array(32)), fill(new Uint8Array(24))];
    const expected = room.slice();
    const [here, there] = [cryptoBackend(), nobleBackend].map((one) => one.keystream(key, nonce));
    let at = 5;
    for (const length of [...LENGTHS, 3, 64, 61, 300, 1000, 200_000]) {
      here.apply(room.subarray(at, at + length));
      there.apply(expected.subarray(at, at + length));
      at += length;
    }
    assert.ok(at < ROOM_BYTES);
    assertSameBytes(room, expected);
  });
});

Deno.test("rooms are as many as the memory has, apart from each other, and are had again", () => {
  const all: Uint8Array[] = [];
  for (let room = rooms.take(); room !== undefined; room = rooms.take()) {
    all.push(room.fill(all.length + 1));
  }
  assert.equal(all.length, 8);
  for (const [n, room] of all.entries()) {
    assert.equal(room.length, ROOM_BYTES);
    assert.ok(room.every((byte) => byte === n + 1));
  }
  assert.equal(rooms.take(), undefined);
  for (const room of all) {
    assert.ok(rooms.give(room.subarray(1000, 2000)));
    assert.ok(rooms.give(room), "a second time does nothing");
  }
  const again: Uint8Array[] = [];
  for (let room = rooms.take(); room !== undefined; room = rooms.take()) again.push(room);
  assert.equal(new Set(again.map((room) => room.byteOffset)).size, 8);
  assert.equal(again.length, 8);
  for (const room of again) rooms.give(room);
});

Deno.test("a buffer from elsewhere is no room", () => {
  assert.equal(rooms.give(new Uint8Array(ROOM_BYTES)), false);
  assert.equal(rooms.holds(new Uint8Array(10)), false);
});
