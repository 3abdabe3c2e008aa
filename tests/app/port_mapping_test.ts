/** What a command tells of a port of the router, and that it takes it back. */
import assert from "node:assert/strict";
import type { TroveEvent } from "../../src/app/events.ts";
import { PortMapping } from "../../src/app/port_mapping.ts";
import { TroveError } from "../../src/base/errors.ts";
import type { PortMap, PortMapOptions } from "../../src/discovery/port_map.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function begin(open: (options: PortMapOptions) => Promise<PortMap>) {
  const events: TroveEvent[] = [];
  const ports: (number | undefined)[] = [];
  const mapping = new PortMapping(3282, {
    timers: new VirtualClock(),
    random: () => 0,
    emit: (event) => events.push(event),
    onChange: (port) => ports.push(port),
    open,
  });
  return { mapping, events, ports };
}

Deno.test("a mapped port is told and announced, and taken back at the end", async () => {
  const map = { protocol: "UPnP", externalHost: "8.8.4.4", externalPort: 40_000 } as const;
  let closed = 0;
  let problem: string | undefined;
  let changed = () => {};
  const { mapping, events, ports } = begin((options) => {
    assert.equal(options.port, 3282);
    changed = options.changed!;
    return Promise.resolve({
      ...map,
      get problem() {
        return problem;
      },
      close: () => Promise.resolve(void closed++),
    });
  });
  await new Promise((resolve) => setTimeout(resolve));
  changed();
  problem = "the router is silent";
  changed();
  problem = undefined;
  changed();
  await mapping.close();
  changed();
  assert.deepEqual(ports, [40_000, 40_000, undefined, 40_000]);
  assert.deepEqual(events.map((event) => event.event), ["mapped", "warning", "mapped"]);
  assert.deepEqual(events[0], { event: "mapped", protocol: "UPnP", host: "8.8.4.4", port: 40_000 });
  assert.equal(closed, 1);
});

Deno.test("a router that maps nothing is a warning", async () => {
  const { mapping, events, ports } = begin(() =>
    Promise.reject(new TroveError("Cannot map port 3282: no router was found", { hint: "go on" }))
  );
  await new Promise((resolve) => setTimeout(resolve));
  await mapping.close();
  const message = "Cannot map port 3282: no router was found; go on";
  assert.deepEqual(events, [{ event: "warning", code: "port-map", message }]);
  assert.deepEqual(ports, []);
});

Deno.test("a mapping that is under way when all ends is given up without a word", async () => {
  const { mapping, events } = begin(({ signal }) =>
    new Promise((_, reject) => {
      signal!.addEventListener("abort", () => reject(new TroveError("Cannot map port 3282")));
    })
  );
  await mapping.close();
  assert.deepEqual(events, []);
});
