import assert from "node:assert/strict";
import { concat, toUtf8 } from "../../src/base/bytes.ts";
import { readBencode } from "../../src/discovery/bencode_check.ts";
import { kindOfKrpc } from "../../src/discovery/krpc_check.ts";

const ID = "a".repeat(20);

Deno.test("readBencode() reads what BEP 3 allows and nothing else", () => {
  const text = (bytes: string) => toUtf8(bytes);
  assert.deepEqual(readBencode(text("i-42e")), -42);
  assert.deepEqual(readBencode(text("4:spam")), text("spam"));
  assert.deepEqual(readBencode(text("l1:ai1ee")), [text("a"), 1]);
  assert.deepEqual(
    readBencode(text("d1:ai1e1:bdee")),
    new Map<string, unknown>([
      ["a", 1],
      ["b", new Map()],
    ]),
  );
  for (
    const wrong of [
      ...["", "e", "i", "ie", "i-e", "i1", "i1.5e", "i+1e", "i1e1:a", "i9999999999999999e"],
      ...["5:spam", "-1:", "l-3:", "l", "l1:a", "d", "d1:a", "d1:ae", "di1e1:ae", "d-2:i1ee", "x"],
      ...["999999999999999:", "l".repeat(17) + "e".repeat(17), "d1:a".repeat(400)],
    ]
  ) assert.equal(readBencode(text(wrong)), undefined, wrong.slice(0, 30));
  assert.ok(readBencode(text("l".repeat(16) + "e".repeat(16))) !== undefined);
});

Deno.test("kindOfKrpc() lets in messages whose fields are what they should be", () => {
  const cases: [string, ReturnType<typeof kindOfKrpc>][] = [
    [`d1:ad2:id20:${ID}e1:q4:ping1:t2:aa1:y1:qe`, "question"],
    [`d1:ad2:id20:${ID}6:target20:${ID}e1:q9:find_node1:t2:aa1:y1:qe`, "question"],
    [`d1:ad2:id20:${ID}e1:q9:find_node1:t2:aa1:y1:qe`, undefined],
    [`d1:ad2:id20:${ID}6:targeti1ee1:q9:find_node1:t2:aa1:y1:qe`, undefined],
    [`d1:ad2:id20:${ID}9:info_hash20:${ID}e1:q9:get_peers1:t2:aa1:y1:qe`, "question"],
    [`d1:ad2:id20:${ID}9:info_hash19:${ID.slice(1)}e1:q9:get_peers1:t2:aa1:y1:qe`, undefined],
    [
      `d1:ad2:id20:${ID}9:info_hash20:${ID}4:porti1e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe`,
      "question",
    ],
    [
      `d1:ad2:id20:${ID}9:info_hash20:${ID}4:port1:15:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe`,
      undefined,
    ],
    [`d1:ad2:id20:${ID}1:vi1ee1:q3:put1:t2:aa1:y1:qe`, undefined],
    [`d1:ad2:id20:${ID}e1:q11:toString1:t2:aa1:y1:qe`, undefined],
    [`d1:rd2:id20:${ID}e1:t2:aa1:y1:re`, "answer"],
    [`d1:rd2:idi7ee1:t2:aa1:y1:re`, undefined],
    [`d1:rd2:id20:${ID}5:nodesi1ee1:t2:aa1:y1:re`, undefined],
    [`d1:rd2:id20:${ID}5:token1:x6:valuesl6:abcdefee1:t2:aa1:y1:re`, "answer"],
    [`d1:rd2:id20:${ID}6:valuesli1eee1:t2:aa1:y1:re`, undefined],
    [`d9:__proto__d1:ai1ee1:rd2:id20:${ID}e1:t2:aa1:y1:re`, undefined],
    [`d1:rd2:id20:${ID}e1:t0:1:y1:re`, undefined],
    [`d1:eli201e5:wronge1:t2:aa1:y1:ee`, "answer"],
    [`d1:ei201e1:t2:aa1:y1:ee`, undefined],
    [`d1:eli201ee1:rd2:idi1ee1:t2:aa1:y1:ee`, undefined],
    ["i1e", undefined],
  ];
  for (const [message, kind] of cases) assert.equal(kindOfKrpc(toUtf8(message)), kind, message);
  assert.equal(kindOfKrpc(concat([toUtf8("d1:"), Uint8Array.of(255, 0)])), undefined);
});
