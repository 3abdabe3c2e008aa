import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Krpc, KrpcContact, KrpcPeer, KrpcQuestion } from "../../src/discovery/krpc.ts";
import { KrpcAnswers } from "../../src/discovery/krpc_answers.ts";

const ID = Buffer.alloc(20, 1);
const HASH = Buffer.alloc(20, 7);
const FROM = { address: "8.8.8.8", port: 5000 };
const MINUTE = 60_000;

/** The package as far as answers need it. */
class ScriptedRpc {
  readonly id = ID;
  readonly answers: Record<string, unknown>[] = [];
  readonly errors: string[] = [];
  readonly told: number[] = [];
  ask: (question: KrpcQuestion, from: KrpcPeer) => void = () => {};
  readonly nodes = {
    closest: (_target: Uint8Array, count: number) =>
      [...Array(count)].map((_, port): KrpcContact => ({ id: ID, host: "8.8.4.4", port })),
    toArray: () => [],
  };

  on(event: string, listener: (question: KrpcQuestion, from: KrpcPeer) => void): void {
    if (event === "query") this.ask = listener;
  }

  response(
    _to: KrpcPeer,
    _question: KrpcQuestion,
    answer: Record<string, unknown>,
    nodes: readonly KrpcContact[] = [],
  ): void {
    this.answers.push(answer);
    this.told.push(nodes.length);
  }

  error(_to: KrpcPeer, _question: KrpcQuestion, [, text]: readonly [number, string]): void {
    this.errors.push(text);
  }
}

function setUp() {
  let now = 0;
  let secrets = 0;
  const rpc = new ScriptedRpc();
  const answers = new KrpcAnswers(rpc as unknown as Krpc, {
    now: () => now,
    randomBytes: (length) => new Uint8Array(length).fill(++secrets),
  });
  const ask = (q: string, a: Record<string, unknown> = {}, from = FROM) => {
    now += 1000; // far from the limit of answers per second
    rpc.ask({ t: Buffer.of(1), q: Buffer.from(q), a: { id: ID, ...a } }, from);
    return rpc.answers.at(-1)!;
  };
  const tokenFor = (from = FROM) => ask("get_peers", { info_hash: HASH }, from).token;
  return { rpc, answers, ask, tokenFor, wait: (ms: number) => now += ms };
}

const peersOf = (answers: KrpcAnswers, hash = HASH) =>
  answers.peersOf(hash).map((peer) => [...peer].join(" "));

Deno.test("Questions are answered as BEP 5 says", () => {
  const { rpc, ask } = setUp();
  assert.deepEqual(ask("ping"), { id: ID });
  assert.deepEqual(ask("find_node", { target: HASH }), { id: ID });
  assert.deepEqual(Object.keys(ask("get_peers", { info_hash: HASH })), ["id", "token"]);
  assert.deepEqual(rpc.told, [0, 8, 8]);
});

Deno.test("A peer is told of that announced itself with the token it was given", () => {
  const { answers, ask, tokenFor, rpc } = setUp();
  const token = tokenFor();
  ask("announce_peer", { info_hash: HASH, token, port: 3282 });
  ask("announce_peer", { info_hash: HASH, token, port: 0, implied_port: 1 });
  assert.deepEqual(peersOf(answers), ["8 8 8 8 12 210", "8 8 8 8 19 136"]);
  const { values } = ask("get_peers", { info_hash: HASH });
  assert.deepEqual((values as Buffer[]).map((value) => value.length), [6, 6]);
  assert.deepEqual(rpc.errors, []);
  ask("announce_peer", { info_hash: HASH, token, port: 1 }, { address: "8.8.4.4", port: 5000 });
  ask("announce_peer", { info_hash: HASH, token: Buffer.alloc(8), port: 1 });
  for (const port of [0, 65536, -1, undefined]) {
    ask("announce_peer", { info_hash: HASH, token, port });
  }
  assert.deepEqual(rpc.errors, ["Bad token", "Bad token", ...Array(4).fill("Bad port")]);
  assert.equal(answers.peersOf(HASH).length, 2);
});

Deno.test("A token is good for five to ten minutes, an announcement for half an hour", () => {
  const { answers, ask, tokenFor, rpc, wait } = setUp();
  const token = tokenFor();
  wait(6 * MINUTE);
  ask("announce_peer", { info_hash: HASH, token, port: 3282 });
  assert.deepEqual(rpc.errors, []);
  wait(6 * MINUTE);
  ask("announce_peer", { info_hash: HASH, token, port: 3282 });
  assert.deepEqual(rpc.errors, ["Bad token"]);
  const late = tokenFor();
  wait(20 * MINUTE);
  ask("announce_peer", { info_hash: HASH, token: late, port: 3282 });
  assert.deepEqual(rpc.errors, ["Bad token", "Bad token"]);
  assert.equal(answers.peersOf(HASH).length, 1);
  wait(5 * MINUTE);
  assert.equal(answers.peersOf(HASH).length, 0);
});

Deno.test("What strangers make us keep and send is bounded", () => {
  const { answers, rpc, ask, tokenFor } = setUp();
  const token = tokenFor();
  for (let port = 1; port <= 60; port++) {
    ask("announce_peer", { info_hash: HASH, token, port });
  }
  assert.equal(answers.peersOf(HASH).length, 50);
  const hashOf = (i: number) => Buffer.from(HASH).fill(i & 255, 0, 1).fill(i >> 8, 1, 2);
  const before = rpc.answers.length;
  for (let i = 0; i < 200; i++) {
    rpc.ask({ t: Buffer.of(1), q: Buffer.from("ping"), a: { id: ID } }, FROM);
  }
  assert.ok(rpc.answers.length - before <= 50);
  for (let i = 0; i < 501; i++) {
    ask("announce_peer", { info_hash: hashOf(i), token: tokenFor(), port: 1 });
  }
  assert.equal(answers.peersOf(HASH).length, 0); // the oldest made room
  assert.equal(answers.peersOf(hashOf(500)).length, 1);
});
