/** A listener on loopback that says whatever bytes a test wants, to play peers that misbehave. */

export class RawPeer implements AsyncDisposable {
  readonly address: string;
  /** How many connections came. */
  connections = 0;
  readonly #listener: Deno.TcpListener;
  readonly #running: Promise<void>;

  constructor(greeting: Uint8Array | null) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = this.#listener.addr as Deno.NetAddr;
    this.address = `${hostname}:${port}`;
    this.#running = this.#accept(greeting);
  }

  async #accept(greeting: Uint8Array | null): Promise<void> {
    const talks: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.connections++;
      talks.push(talk(connection, greeting));
    }
    await Promise.all(talks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
  }
}

/** Say the greeting, or close at once when there is none, and listen until the other side is gone. */
async function talk(connection: Deno.TcpConn, greeting: Uint8Array | null): Promise<void> {
  using open = connection;
  if (greeting === null) return;
  const piece = new Uint8Array(65536);
  try {
    for (let at = 0; at < greeting.length;) at += await open.write(greeting.subarray(at));
    while (await open.read(piece) !== null);
  } catch {
    // The other side cut the connection, as it should.
  }
}

/** A peer that greets every connection with these bytes; with null it hangs up. */
export function rawPeer(greeting: Uint8Array | null): RawPeer {
  return new RawPeer(greeting);
}

/** Dial an address, say these bytes, and wait for the other side to hang up. */
export async function dialAndSay(address: string, bytes: Uint8Array): Promise<void> {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon);
  await talk(await Deno.connect({ hostname, port: Number(address.slice(colon + 1)) }), bytes);
}
