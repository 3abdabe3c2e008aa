/**
 * A UDP port for packages that speak a DHT's protocol: their `dgram` socket, with a guard at the
 * door. What comes in is looked at before the package sees it, what the package throws over it ends
 * here, and nothing is sent to where no peer can be.
 */
import { createSocket, type Socket } from "node:dgram";
import { EventEmitter } from "node:events";
import { once } from "node:events";
import { reachOf } from "./candidates.ts";

/** Where a packet came from. */
export interface Sender {
  readonly address: string;
  readonly port: number;
}

export interface UdpPortOptions {
  /** The address of our own to bind; all of them if it is left out. */
  readonly host?: string;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /**
   * Whether a packet may come in.
   *
   * @param wasAsked Something was sent to its sender lately.
   */
  readonly accept: (bytes: Uint8Array, wasAsked: boolean) => boolean;
}

/**
 * Larger ones no DHT sends. The spec of errors and limits, section 8, has 1500 bytes; but
 * `bittorrent-dht` answers with its whole routing table, which is 200 nodes of 26 bytes after a
 * while.
 */
const MAX_PACKET_BYTES = 16 * 1024;

/** Every address of this machine. */
const ANY_HOST = "0.0.0.0";

/** How long an answer may take: no package waits longer. */
const ANSWER_MS = 10_000;

/** Whom something was sent to, to keep in mind: as many as a busy `seed` asks in ten seconds. */
const MAX_ASKED = 4096;

/** Emits `message` and `close`, as a `dgram` socket does, and no errors. */
export class UdpPort extends EventEmitter {
  /** Private addresses and this machine's own may be sent to: the network is one's own. */
  allowPrivate = false;
  readonly #socket: Socket;
  readonly #options: UdpPortOptions;
  /** When something was sent to an address last, the longest ago first. */
  readonly #asked = new Map<string, number>();
  #closed = false;

  /** @throws {Error} If there is no port to be had; the message is a clause for people. */
  static async open(options: UdpPortOptions): Promise<UdpPort> {
    const { host = ANY_HOST } = options;
    // A refusal would be thrown where nobody can catch it.
    const wanted = { name: "net", host: `${host}:0` } as const;
    if (Deno.permissions.querySync(wanted).state !== "granted") {
      throw new Error("no permission to use the network");
    }
    const socket = createSocket("udp4");
    try {
      const listening = once(socket, "listening");
      socket.bind(0, host);
      await listening;
    } catch (error) {
      socket.close();
      throw new Error(`cannot open a UDP port: ${(error as Error).message}`, { cause: error });
    }
    return new UdpPort(socket, options);
  }

  private constructor(socket: Socket, options: UdpPortOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.setMaxListeners(0);
    socket.on("message", (bytes, sender) => this.#receive(bytes, sender));
    // A network that is gone: what was sent is not answered, and that is all there is to it.
    socket.on("error", () => {});
    socket.on("close", () => this.emit("close"));
  }

  address(): ReturnType<Socket["address"]> {
    return this.#socket.address();
  }

  send(
    bytes: Uint8Array,
    offset: number,
    length: number,
    port: number,
    host: string,
    done: (error?: Error | null) => void = () => {},
  ): void {
    if (this.#closed || !this.#mayGoTo(host, port)) return done();
    const key = `${host} ${port}`;
    this.#asked.delete(key);
    this.#asked.set(key, this.#options.now());
    if (this.#asked.size > MAX_ASKED) this.#asked.delete(this.#asked.keys().next().value!);
    this.#socket.send(bytes, offset, length, port, host, () => done());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  #receive(bytes: Uint8Array, sender: Sender): void {
    if (this.#closed || bytes.length > MAX_PACKET_BYTES || sender.port === 0) return;
    const { accept, now } = this.#options;
    const asked = this.#asked.get(`${sender.address} ${sender.port}`);
    try {
      if (!accept(bytes, asked !== undefined && now() - asked < ANSWER_MS)) return;
      this.emit("message", bytes, sender);
    } catch {
      // The package choked on what a stranger sent. The packet is lost, as packets are.
    }
  }

  /** Strangers name the nodes that are asked next, and may name anything. */
  #mayGoTo(host: string, port: number): boolean {
    if (!(port > 0 && port < 65536)) return false;
    const reach = reachOf(host);
    return reach === "public" || (this.allowPrivate && reach !== "none");
  }
}
