import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { TroveError } from "../../src/base/errors.ts";
import { likelyGateways } from "../../src/discovery/nat_pmp.ts";
import { openPortMap, type PortMap, type PortMapOptions } from "../../src/discovery/port_map.ts";
import { realTimers } from "../../src/io/timers.ts";
import { LOOPBACK } from "../support/dht.ts";
import { FakeRouter, natPmpAnswer } from "../support/fake_router.ts";

/**
 * Real time, of which waits of more than a minute are left to the test: these are the pauses between
 * renewals.
 */
function timers() {
  const real = realTimers({ monotonic: () => performance.now() });
  const pauses: { ms: number; act: () => void }[] = [];
  return {
    pauses,
    now: () => real.now(),
    after(ms: number, act: () => void): () => void {
      if (ms < 60_000) return real.after(ms, act);
      const pause = { ms, act };
      pauses.push(pause);
      return () => void pauses.splice(pauses.indexOf(pause), 1);
    },
  };
}

function open(router: FakeRouter, options: Partial<PortMapOptions> = {}): Promise<PortMap> {
  const { gateway, ssdp } = router;
  return openPortMap({ port: 3282, timers: timers(), random: () => 0, gateway, ssdp, ...options });
}

const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof TroveError && pattern.test(error.message);

Deno.test("A port is mapped by NAT-PMP, renewed after half of its time, and given back", async () => {
  const asked: string[] = [];
  let port = 5000;
  await using router = await FakeRouter.open({
    natPmp(question) {
      if (question.getUint8(1) === 0) return natPmpAnswer(question);
      const wanted = [4, 6].map((at) => question.getUint16(at)).join(" ");
      asked.push(`${wanted} ${question.getUint32(8)}`);
      return natPmpAnswer(question, { port });
    },
  });
  const clock = timers();
  let changes = 0;
  const changed = Promise.withResolvers<void>();
  const map = await open(router, {
    timers: clock,
    changed() {
      changes++;
      changed.resolve();
    },
  });
  assert.deepEqual(
    [map.protocol, map.externalHost, map.externalPort, map.problem],
    ["NAT-PMP", "8.8.4.4", 5000, undefined],
  );
  assert.deepEqual(clock.pauses.map(({ ms }) => ms), [1800_000]);
  port = 5001;
  clock.pauses.pop()!.act();
  await changed.promise;
  assert.equal(map.externalPort, 5001);
  assert.equal(changes, 1);
  await map.close();
  assert.deepEqual(asked, ["3282 3282 3600", "3282 5000 3600", "3282 0 0"]);
  assert.equal(clock.pauses.length, 0);
});

Deno.test("A renewal that fails is told of, tried again, and forgotten when it succeeds", async () => {
  let isWilling = true;
  await using router = await FakeRouter.open({
    natPmp: (question) => natPmpAnswer(question, isWilling ? { lifetime: 10 } : { result: 3 }),
  });
  const clock = timers();
  let heard = Promise.withResolvers<void>();
  const map = await open(router, { timers: clock, changed: () => heard.resolve() });
  assert.deepEqual(clock.pauses.map(({ ms }) => ms), [60_000]); // not every five seconds
  for (isWilling of [false, true]) {
    heard = Promise.withResolvers();
    clock.pauses.pop()!.act();
    await heard.promise;
    assert.equal(
      map.problem,
      isWilling ? undefined : "the router does not renew the mapping: it has no address of its own",
    );
  }
  await map.close();
});

Deno.test("What is no answer to our question is not taken for one", async () => {
  let questions = 0;
  await using router = await FakeRouter.open({
    natPmp(question) {
      const answer = natPmpAnswer(question);
      switch (++questions) {
        case 1:
          return Uint8Array.of(0, 130);
        case 2:
          answer[9]++; // of another port
          return answer;
        case 3:
          answer[0] = 2; // another version
          return answer;
        default:
          return answer;
      }
    },
  });
  const map = await open(router);
  assert.ok(questions >= 4);
  assert.equal(map.externalPort, 3282);
  await map.close();
});

Deno.test("A port is mapped by UPnP where NAT-PMP is refused", async () => {
  await using router = await FakeRouter.open({
    natPmp: (question) => natPmpAnswer(question, { result: 2 }),
    call: (action, { NewInternalClient: client = LOOPBACK, NewInternalPort: port = "3282" }) => {
      assert.equal(`${client} ${port}`, `${LOOPBACK} 3282`);
      return action === "GetExternalIPAddress"
        ? "<NewExternalIPAddress>8.8.8.8</NewExternalIPAddress>"
        : "";
    },
  });
  const map = await open(router);
  assert.deepEqual(
    [map.protocol, map.externalHost, map.externalPort],
    ["UPnP", "8.8.8.8", 3282],
  );
  await map.close();
  await map.close();
  assert.deepEqual(router.calls, [
    "AddPortMapping 3282 3600",
    "GetExternalIPAddress",
    "DeletePortMapping 3282",
  ]);
});

Deno.test("A port that is taken is not insisted on, nor is a lease that ends", async () => {
  await using router = await FakeRouter.open({
    natPmp: (question) => natPmpAnswer(question, { result: 4 }),
    call: (action, { NewExternalPort: port, NewLeaseDuration: lease }) => {
      if (action !== "AddPortMapping") return "";
      return port === "3282" ? 718 : lease === "0" ? "" : 725;
    },
  });
  const map = await open(router, { random: () => 0.5 });
  assert.equal(map.externalHost, undefined);
  assert.equal(map.externalPort, 57344);
  await map.close();
  assert.deepEqual(router.calls, [
    "AddPortMapping 3282 3600",
    "AddPortMapping 57344 3600",
    "AddPortMapping 57344 0",
    "GetExternalIPAddress",
    "DeletePortMapping 57344",
  ]);
});

Deno.test("Without a router that maps the port there is a message that says why", async () => {
  {
    await using router = await FakeRouter.open({
      natPmp: (question) => natPmpAnswer(question, { result: 2 }),
      call: () => 606,
    });
    await assert.rejects(
      open(router),
      refusal(
        /^Cannot map port 3282: NAT-PMP: it does not allow that; UPnP: it says no, with code 606$/,
      ),
    );
  }
  await using silent = await FakeRouter.open();
  await assert.rejects(
    open(silent),
    refusal(/^Cannot map port 3282: NAT-PMP: it did not answer$/),
  );
});

Deno.test("What answers to a search may name its own pages only, and no long ones", async () => {
  const natPmp = (question: DataView) => natPmpAnswer(question, { result: 5 });
  const cases = [
    { location: "http://127.0.0.2:9/d.xml" },
    { location: "file:///etc/passwd" },
    { location: "no address" },
    { description: "<root/>" },
    { description: "x".repeat(200_000) },
    {
      description: "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1" +
        "</serviceType><controlURL>http://127.0.0.2:9/</controlURL></service>",
    },
  ];
  await Promise.all(cases.map(async (options) => {
    await using router = await FakeRouter.open({ natPmp, call: () => "", ...options });
    await assert.rejects(
      open(router),
      refusal(/^Cannot map port 3282: NAT-PMP: it does not know how$/),
      JSON.stringify(options).slice(0, 60),
    );
    assert.deepEqual(router.calls, []);
  }));
});

Deno.test("An attempt ends with its signal", async () => {
  await using silent = await FakeRouter.open();
  const stop = new AbortController();
  const opening = open(silent, { signal: stop.signal });
  stop.abort();
  await assert.rejects(opening, refusal(/^Cannot map port 3282: /));
});

Deno.test("likelyGateways() gives the first and the last address of local networks", () => {
  const info = (address: string, netmask: string, family = "IPv4") =>
    ({ address, netmask, family, mac: "", internal: false, cidr: null }) as NetworkInterfaceInfo;
  const interfaces = {
    lo: [info("127.0.0.1", "255.0.0.0")],
    wan: [info("8.8.8.8", "255.255.255.0"), info("fe80::1", "ffff::", "IPv6")],
    lan: [info("192.168.1.7", "255.255.255.0"), info("10.255.0.1", "255.255.0.0")],
    more: [info("172.16.0.9", "255.255.255.0")],
  };
  assert.deepEqual(likelyGateways(() => interfaces), [
    ...["192.168.1.1", "192.168.1.254"],
    "10.255.255.254", // the first one is our own
  ]);
  assert.deepEqual(likelyGateways(() => ({})), []);
  assert.deepEqual(
    likelyGateways(() => {
      throw new Error("not permitted");
    }),
    [],
  );
});
