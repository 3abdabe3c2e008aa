import assert from "node:assert/strict";
import { UdpPort } from "../../src/discovery/udp_port.ts";
import { LOOPBACK } from "../support/dht.ts";
import { HostileNode } from "../support/hostile_node.ts";

type Accept = (bytes: Uint8Array, wasAsked: boolean) => boolean;

async function open(accept: Accept = () => true, now = () => 0) {
  const port = await UdpPort.open({ host: LOOPBACK, now, accept });
  port.allowPrivate = true;
  const closed = new Promise((resolve) => port.once("close", resolve));
  return {
    port,
    number: port.address().port,
    [Symbol.asyncDispose]: async () => {
      port.close();
      port.close();
      await closed;
    },
  };
}

/** The next packet's length. */
const next = (port: UdpPort) =>
  new Promise<number>((resolve) => port.once("message", (bytes) => resolve(bytes.length)));

Deno.test("Packets come in that are accepted and not too long", async () => {
  await using opened = await open((bytes) => bytes[0] !== 9);
  await using other = await HostileNode.open(() => []);
  const first = next(opened.port);
  for (const size of [16_385, 16_384]) other.send(new Uint8Array(size), opened.number);
  assert.equal(await first, 16_384);
  const second = next(opened.port);
  other.send(Uint8Array.of(9), opened.number);
  other.send(Uint8Array.of(8, 8), opened.number);
  assert.equal(await second, 2);
});

Deno.test("A packet over which somebody throws is lost, and the next one is not", async () => {
  await using opened = await open();
  await using other = await HostileNode.open(() => []);
  let count = 0;
  const done = new Promise<void>((resolve) =>
    opened.port.on("message", () => {
      if (++count === 2) resolve();
      throw new Error("choked");
    })
  );
  for (let i = 0; i < 2; i++) other.send(new Uint8Array(1), opened.number);
  await done;
});

Deno.test("It is known for ten seconds who was asked", async () => {
  let time = 0;
  const asked: boolean[] = [];
  await using opened = await open((_, wasAsked) => asked.push(wasAsked) > 0, () => time);
  await using other = await HostileNode.open(() => []);
  for (const step of [0, 1, 10_000]) {
    if (step === 1) opened.port.send(new Uint8Array(1), 0, 1, other.port, LOOPBACK);
    time += step;
    const came = next(opened.port);
    other.send(new Uint8Array(1), opened.number);
    await came;
  }
  assert.deepEqual(asked, [false, true, false]);
});

Deno.test("Nothing is sent where no peer is, nor to private networks unless they are one's own", async () => {
  await using opened = await open();
  await using other = await HostileNode.open(() => []);
  const done = (host: string, port: number) =>
    new Promise<void>((resolve) =>
      opened.port.send(new Uint8Array(1), 0, 1, port, host, () => resolve())
    );
  opened.port.allowPrivate = false;
  await done(LOOPBACK, other.port);
  opened.port.allowPrivate = true;
  for (const host of ["0.0.0.0", "224.0.0.251", "255.255.255.255", "router.example"]) {
    await done(host, other.port);
  }
  for (const port of [0, 65536, NaN]) await done(LOOPBACK, port);
  assert.equal(other.packets, 0);
  const came = next(opened.port);
  await done(LOOPBACK, other.port);
  other.send(new Uint8Array(1), opened.number);
  await came;
  assert.equal(other.packets, 1);
});

Deno.test("An address that is not ours is refused", async () => {
  await assert.rejects(
    UdpPort.open({ host: "203.0.113.7", now: () => 0, accept: () => true }),
    /^Error: cannot open a UDP port: .*EADDRNOTAVAIL/,
  );
});

Deno.test({
  name: "Without permission there is no port, which is told to whoever wants it",
  permissions: { net: false },
  async fn() {
    const options = { now: () => 0, accept: () => true };
    await assert.rejects(UdpPort.open(options), /no permission to use the network/);
  },
});
