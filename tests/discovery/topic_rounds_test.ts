import assert from "node:assert/strict";
import { Topic } from "../../src/discovery/topic.ts";
import { type Round, TopicRounds } from "../../src/discovery/topic_rounds.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const MINUTE = 60_000;
const topicOf = (i: number) => new Topic(new Uint8Array(32).fill(i));
const BOTH = { lookup: true, announce: 3282 };

/** Lets what waits for promises go on, as far as it goes. */
async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}

/** Rounds that end when the test says so, or at once with an answer. */
function setUp({ isQuick = true, random = 0 } = {}) {
  const clock = new VirtualClock();
  const begun: { at: number; round: Round; end: () => void }[] = [];
  const events: string[] = [];
  const rounds = new TopicRounds({
    ...{ timers: clock, random: () => random },
    period: { least: 10 * MINUTE, spread: 5 * MINUTE },
    run: (round) =>
      new Promise((end) => {
        begun.push({ at: clock.now(), round, end });
        round.signal.addEventListener("abort", () => end());
        if (!isQuick) return;
        round.onAnswer();
        end();
      }),
    found: (topic, { port }, from) => events.push(`${topic.name.slice(0, 2)} ${port} ${from}`),
    changed: () => {},
    silent: () => events.push("silent"),
  });
  const runTo = async (time: number) => {
    await settle();
    while (clock.now() < time) {
      clock.runTo(Math.min(time, clock.now() + MINUTE / 4));
      await settle();
    }
  };
  return { clock, begun, events, rounds, runTo };
}

Deno.test("A topic has a round at once, two soon after, and then one every 10 to 15 minutes", async () => {
  for (const [random, times] of [[0, [0, 1, 4, 14, 24]], [0.999, [0, 1.5, 6, 21, 36]]] as const) {
    const { begun, rounds, runTo } = setUp({ random });
    rounds.set(topicOf(1), BOTH);
    assert.equal(begun.length, 0); // nobody to ask yet
    rounds.resume();
    await runTo(36 * MINUTE);
    assert.deepEqual(begun.slice(0, 5).map(({ at }) => Math.round(at / MINUTE * 2) / 2), times);
    rounds.close();
  }
});

Deno.test("Of a thousand topics eight have a round at once, and each its turn", async () => {
  const { begun, rounds } = setUp({ isQuick: false });
  rounds.resume();
  const topics = [...Array(1000)].map((_, i) => {
    const key = new Uint8Array(32);
    new DataView(key.buffer).setUint16(0, i);
    return new Topic(key);
  });
  for (const topic of topics) rounds.set(topic, BOTH);
  for (let ended = 0; ended < 1000; ended++) {
    assert.equal(begun.length, Math.min(ended + 8, 1000));
    begun[ended].round.onAnswer();
    begun[ended].end();
    await settle();
  }
  assert.equal(new Set(begun.map(({ round }) => round.topic.name)).size, 1000);
  assert.equal(rounds.close().length, 1000);
  await rounds.settled();
});

Deno.test("With many topics none has early rounds", async () => {
  const { begun, rounds, runTo } = setUp();
  for (let i = 0; i < 33; i++) rounds.set(topicOf(i), BOTH);
  rounds.resume();
  await runTo(9.5 * MINUTE);
  assert.equal(begun.length, 33);
  await runTo(10.5 * MINUTE);
  assert.equal(begun.length, 66);
  rounds.close();
});

Deno.test("What is to be done may change, also in the middle of a round", async () => {
  const { begun, rounds, runTo } = setUp({ isQuick: false });
  rounds.resume();
  rounds.set(topicOf(1), { lookup: true, announce: undefined });
  rounds.set(topicOf(1), BOTH);
  assert.equal(begun.length, 1);
  begun[0].round.onAnswer();
  begun[0].end();
  await runTo(1000);
  assert.deepEqual(begun.map(({ round }) => round.interest.announce), [undefined, 3282]);
  assert.deepEqual(rounds.close().map(({ port }) => port), [3282]);
  await rounds.settled();
});

Deno.test("Nothing more is told of a topic that was left", async () => {
  const { begun, events, rounds } = setUp({ isQuick: false });
  rounds.resume();
  rounds.set(topicOf(1), { lookup: true, announce: undefined });
  const [{ round }] = begun;
  round.onAddress({ host: "8.8.4.4", port: 1 }, "8.8.8.8");
  assert.equal(rounds.remove(topicOf(1)), undefined);
  assert.ok(round.signal.aborted);
  round.onAddress({ host: "8.8.4.4", port: 2 }, "8.8.8.8");
  await settle();
  assert.deepEqual(events, ["01 1 8.8.8.8"]);
  rounds.set(topicOf(2), BOTH);
  assert.equal(rounds.remove(topicOf(2)), 3282);
  rounds.close();
  await rounds.settled();
});

Deno.test("A round that takes a minute is ended, and one without answers is told of", async () => {
  const { clock, begun, events, rounds, runTo } = setUp({ isQuick: false });
  rounds.resume();
  rounds.set(topicOf(1), BOTH);
  await runTo(MINUTE);
  assert.ok(begun[0].round.signal.aborted);
  assert.equal(events[0], "silent");
  rounds.pause();
  rounds.close();
  await rounds.settled();
  assert.equal(clock.timers, 0);
});

Deno.test("The counts are those of the first round as it goes, then of the last one", async () => {
  const { begun, rounds, runTo } = setUp({ isQuick: false });
  const counts = () => {
    const { answers, addresses } = rounds.countsOf(topicOf(1))!;
    return [answers, addresses];
  };
  rounds.set(topicOf(1), BOTH);
  assert.equal(rounds.countsOf(topicOf(1)), undefined);
  rounds.resume();
  const { round, end } = begun[0];
  round.onAnswer();
  assert.deepEqual(counts(), [1, 0]);
  round.onAnswer();
  for (const port of [1, 1, 2]) round.onAddress({ host: "8.8.4.4", port }, "8.8.8.8");
  end();
  await runTo(MINUTE);
  assert.deepEqual(counts(), [2, 2]);
  begun[1].round.onAnswer();
  assert.deepEqual(counts(), [2, 2]);
  begun[1].end();
  await settle();
  assert.deepEqual(counts(), [1, 0]);
  rounds.close();
});

Deno.test("A topic whose peers are gone has its next round at once, if the last is not just over", async () => {
  const { begun, rounds, runTo } = setUp();
  rounds.set(topicOf(1), BOTH);
  rounds.resume();
  await runTo(5 * MINUTE);
  const before = begun.length;
  await runTo(6 * MINUTE);
  assert.equal(begun.length, before, "the next one is minutes away");
  rounds.hasten(topicOf(1));
  await settle();
  assert.equal(begun.length, before + 1);
  rounds.hasten(topicOf(1));
  rounds.hasten(topicOf(2));
  await settle();
  assert.equal(begun.length, before + 1, "and not again, nor what nobody looks for");
  rounds.close();
});
