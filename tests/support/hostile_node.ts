/** A UDP host that answers each packet with what the test says. */
import { createSocket, type Socket } from "node:dgram";
import { LOOPBACK } from "./dht.ts";
import type { Random } from "./random.ts";

export class HostileNode implements AsyncDisposable {
  packets = 0;
  readonly #socket: Socket;

  static async open(
    answer: (packet: Uint8Array, port: number) => readonly Uint8Array[],
  ): Promise<HostileNode> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve));
    return new HostileNode(socket, answer);
  }

  private constructor(
    socket: Socket,
    answer: (packet: Uint8Array, port: number) => readonly Uint8Array[],
  ) {
    this.#socket = socket;
    socket.on("message", (bytes, { port, address }) => {
      this.packets++;
      for (const packet of answer(bytes, port)) socket.send(packet, port, address);
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get bootstrap(): string[] {
    return [`${LOOPBACK}:${this.port}`];
  }

  send(packet: Uint8Array, port: number): void {
    this.#socket.send(packet, port, LOOPBACK);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

/** Some bytes changed, cut off, doubled or put in: what a stranger may make of a good packet. */
export function mutate(packet: Uint8Array, random: Random): Uint8Array {
  const bytes = [...packet];
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length);
    const kind = random.below(10);
    if (kind < 4) bytes[at] = random.below(256);
    else if (kind < 6) bytes[at] = "-0159eldi:".charCodeAt(random.below(10));
    else if (kind < 7) bytes.splice(at, 1 + random.below(8));
    else if (kind < 8) bytes.splice(at, 0, ...bytes.slice(at, at + 20));
    else if (kind < 9) bytes.length = at + 1;
    else bytes.splice(at, 0, random.below(256));
  }
  return Uint8Array.from(bytes);
}
