/**
 * A discovery server of dat's own kind, for tests: it remembers who announced what, and tells. It is
 * written after dns-discovery 6.2.3 `index.js` and shares no code with the source that asks it.
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import packet from "dns-packet";
import type { Timers } from "../../src/io/timers.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface ServerOptions {
  readonly timers: Timers;
  readonly send: (bytes: Uint8Array, to: Endpoint) => void;
}

/** Times in milliseconds. Source: dns-discovery 6.2.3. */
const SUBSCRIBED_MS = 60_000;
const SECRET_MS = 5 * 60_000;
const PUSH_AGAIN_MS = [1000, 3000];
const MAX_PUSHES = 16;
const MAX_PEERS = 100;
const DOMAIN = "dat.local";

export class DnsDiscoveryServer {
  readonly #timers: Timers;
  readonly #send: ServerOptions["send"];
  #secrets = [randomBytes(32), randomBytes(32)];
  #secretSince: number;
  #lastId = 0;
  /** By id of an archive: who announced it, as `host:port`. */
  readonly announced = new Map<string, Set<string>>();
  /** The same with the time until when. */
  readonly subscribed = new Map<string, Map<string, number>>();
  readonly #pushed = new Map<number, () => void>();
  /** What came in, as text. */
  readonly log: string[] = [];

  constructor({ timers, send }: ServerOptions) {
    this.#timers = timers;
    this.#send = send;
    this.#secretSince = timers.now();
  }

  /** Forget both secrets, as a server does that was started anew. */
  forgetSecrets(): void {
    this.#secrets = [randomBytes(32), randomBytes(32)];
  }

  tokenFor(host: string, secret = this.#secrets[1]): string {
    return createHash("sha256").update(secret).update(host).digest("base64");
  }

  close(): void {
    for (const cancel of this.#pushed.values()) cancel();
  }

  receive(bytes: Uint8Array, from: Endpoint): void {
    // deno-lint-ignore no-explicit-any -- the package comes without types
    const query: any = packet.decode(Buffer.from(bytes));
    if (query.type === "response") {
      this.#pushed.get(query.id)?.();
      return;
    }
    this.#changeSecrets();
    const answers = query.questions.flatMap(({ type, name }: { type: string; name: string }) =>
      type === "TXT" ? this.#answer(name, from) : []
    );
    for (const { type, name, data } of query.additionals) {
      if (type === "TXT") this.#note(name.slice(0, -DOMAIN.length - 1), readStrings(data), from);
    }
    if (query.additionals.length === 0) this.log.push("probe");
    const { id, questions } = query;
    this.#send(packet.encode({ type: "response", id, questions, answers }), from);
  }

  #answer(name: string, { host, port }: Endpoint): unknown[] {
    const token = `token=${this.tokenFor(host)}`;
    if (name === DOMAIN) return [txt(name, [token, `host=${host}`, `port=${port}`])];
    if (!name.endsWith(`.${DOMAIN}`)) return [];
    const known = [...this.announced.get(name.slice(0, -DOMAIN.length - 1)) ?? []];
    const peers = Buffer.concat(known.slice(0, MAX_PEERS).map(encodePeer)).toString("base64");
    return [txt(name, peers === "" ? [token] : [token, `peers=${peers}`])];
  }

  #note(id: string, values: Map<string, string>, from: Endpoint): void {
    const names = [...values.keys()].filter((name) => name !== "token");
    const right = this.#secrets.map((secret) => this.tokenFor(from.host, secret));
    const isRight = right.includes(values.get("token") ?? "");
    this.log.push(`${names.join(" ")}${isRight ? "" : " (wrong token)"}`);
    if (!isRight) return;
    const address = (port: string | undefined) => `${from.host}:${Number(port) || from.port}`;
    if (values.has("announce")) {
      const known = getOrMake(this.announced, id, () => new Set<string>());
      const added = address(values.get("announce"));
      if (!known.has(added)) this.#push(id, added);
      known.add(added);
    }
    if (values.has("unannounce")) this.announced.get(id)?.delete(address(values.get("unannounce")));
    const subscribers = getOrMake(this.subscribed, id, () => new Map<string, number>());
    const subscriber = `${from.host}:${from.port}`;
    if (values.has("subscribe")) subscribers.set(subscriber, this.#timers.now() + SUBSCRIBED_MS);
    else subscribers.delete(subscriber);
  }

  /** Tell the subscribers of somebody new, until each said that it heard. */
  #push(id: string, added: string): void {
    const [target, port] = split(added);
    const record = { type: "SRV", name: `${id}.${DOMAIN}`, ttl: 0, data: { port, target } };
    const subscribers = [...this.subscribed.get(id) ?? []]
      .filter(([, until]) => until > this.#timers.now()).slice(0, MAX_PUSHES);
    for (const [subscriber] of subscribers) {
      const [host, port] = split(subscriber);
      const pushId = ++this.#lastId;
      const bytes = packet.encode({ type: "query", id: pushId, flags: 256, additionals: [record] });
      const push = () => this.#send(bytes, { host, port });
      const again = PUSH_AGAIN_MS.map((ms) => this.#timers.after(ms, push));
      this.#pushed.set(pushId, () => again.forEach((cancel) => cancel()));
      push();
    }
  }

  #changeSecrets(): void {
    while (this.#timers.now() - this.#secretSince >= SECRET_MS) {
      this.#secretSince += SECRET_MS;
      this.#secrets = [this.#secrets[1], randomBytes(32)];
    }
  }
}

export interface RunningDnsServer extends AsyncDisposable {
  readonly server: DnsDiscoveryServer;
  readonly host: string;
  readonly port: number;
}

/** A server on a UDP socket. */
export async function startDnsDiscoveryServer(
  { timers, host = "127.0.0.1", port = 0 }: { timers: Timers; host?: string; port?: number },
): Promise<RunningDnsServer> {
  const socket = createSocket("udp4");
  const server = new DnsDiscoveryServer({
    timers,
    send: (bytes, to) => socket.send(bytes, to.port, to.host),
  });
  socket.on("message", (bytes: Uint8Array, from: { address: string; port: number }) => {
    server.receive(bytes, { host: from.address, port: from.port });
  });
  const listening = Promise.withResolvers<void>();
  socket.bind(port, host, () => listening.resolve());
  await listening.promise;
  return {
    server,
    host,
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      server.close();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

function txt(name: string, strings: readonly string[]): unknown {
  return { type: "TXT", name, ttl: 0, data: strings.map((text) => Buffer.from(text)) };
}

function readStrings(data: readonly Uint8Array[]): Map<string, string> {
  return new Map(
    data.map((bytes) => {
      const text = new TextDecoder().decode(bytes);
      const equals = text.indexOf("=");
      return equals < 0 ? [text, "true"] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

function encodePeer(address: string): Buffer {
  const [host, port] = split(address);
  return Buffer.from([...host.split(".").map(Number), port >> 8, port & 255]);
}

function split(address: string): [host: string, port: number] {
  const [host, port] = address.split(":");
  return [host, Number(port)];
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  if (!map.has(key)) map.set(key, make());
  return map.get(key)!;
}
