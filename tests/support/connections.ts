/** Both ends of a connection, without a network or over loopback. */
import { type Connection, SocketConnection } from "../../src/io/connection.ts";
import { PeerListener } from "../../src/io/peer_listener.ts";
import { TcpSource } from "../../src/io/tcp.ts";

/** One direction: a bounded queue of bytes. */
class Pipe {
  readonly #capacity: number;
  readonly #mostAtOnce: () => number;
  #bytes: number[] = [];
  #ended = false;
  #broken = false;
  #watchers: (() => void)[] = [];

  constructor(capacity: number, mostAtOnce: () => number) {
    this.#capacity = capacity;
    this.#mostAtOnce = mostAtOnce;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#bytes.length === 0 && !this.#ended && !this.#broken) await this.#change();
    if (this.#broken) throw new Deno.errors.Interrupted("operation canceled");
    if (this.#bytes.length === 0) return null;
    const piece = this.#bytes.splice(0, Math.min(buffer.length, this.#mostAtOnce()));
    buffer.set(piece);
    this.#wake();
    return piece.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#bytes.length >= this.#capacity && !this.#broken) await this.#change();
    if (this.#broken || this.#ended) throw new Deno.errors.BrokenPipe("broken pipe");
    const room = Math.min(this.#capacity - this.#bytes.length, this.#mostAtOnce());
    const piece = bytes.subarray(0, room);
    this.#bytes.push(...piece);
    this.#wake();
    return piece.length;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  break(): void {
    this.#broken = true;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

class MemoryEnd implements Connection {
  #closed = false;
  readonly #in: Pipe;
  readonly #out: Pipe;

  constructor(readonly remote: string, pipes: { in: Pipe; out: Pipe }) {
    this.#in = pipes.in;
    this.#out = pipes.out;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#in.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  /** As TCP has it: the remote reads what was sent, and then the end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#out.end();
    this.#in.break();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Two ends that are joined in memory.
 *
 * @param options.capacity Bytes on their way in one direction before `write` waits.
 * @param options.mostAtOnce The most that the next `read` or `write` moves.
 */
export function memoryPair(
  { capacity = 65536, mostAtOnce = () => Infinity }: {
    capacity?: number;
    mostAtOnce?: () => number;
  } = {},
): [Connection, Connection] {
  const [there, back] = [new Pipe(capacity, mostAtOnce), new Pipe(capacity, mostAtOnce)];
  return [
    new MemoryEnd("memory:b", { in: back, out: there }),
    new MemoryEnd("memory:a", { in: there, out: back }),
  ];
}

/** The dialling and the accepting end of a TCP connection over loopback. */
export async function tcpPair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  return await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
}

/** A connection of the system's as links have it. */
export function asConnection(conn: Deno.Conn): Connection {
  return new SocketConnection(conn, "test");
}

/** Takes connections on a free port of loopback. */
export function loopbackListener(): PeerListener {
  return new PeerListener([new TcpSource(Deno.listen({ hostname: "127.0.0.1", port: 0 }))]);
}
