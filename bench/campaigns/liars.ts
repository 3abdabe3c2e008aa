/** What somebody who clones may be served by: peers that greet well and lie about what they have. */
import { fromHex } from "../../src/base/bytes.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { type Received, Session } from "../../src/core/wire/session.ts";
import { discoveryKey } from "../../src/crypto/hash.ts";
import { Random } from "../../tests/support/random.ts";
import { greeting } from "./strangers.ts";

const random = new Random("liars");

/** What a liar says first on each channel, and to each request. */
export interface Lies {
  readonly has: Message;
  readonly answer: (index: number) => Message | undefined;
}

export const LIES: Readonly<Record<string, Lies>> = {
  "claims 2^53 blocks, answers nothing": {
    has: { type: "have", start: 0, length: Number.MAX_SAFE_INTEGER, ack: false },
    answer: () => undefined,
  },
  "has all, answers with noise": {
    has: { type: "have", start: 0, length: 2000, ack: false },
    answer: (index) => ({
      type: "data",
      index,
      value: random.bytes(65536),
      nodes: [],
      signature: random.bytes(64),
    }),
  },
  "has all, proofs of numbers without end": {
    has: { type: "have", start: 0, length: 2000, ack: false },
    answer: (index) => ({
      type: "data",
      index,
      value: random.bytes(100),
      nodes: Array.from({ length: 100 }, (_, n) => ({
        index: 2 ** 52 - n,
        hash: random.bytes(32),
        size: 2 ** 52,
      })),
      signature: random.bytes(64),
    }),
  },
  "takes back all that it offers": {
    has: { type: "have", start: 0, length: 2000, ack: false },
    answer: (index) => ({ type: "unhave", start: index, length: 1 }),
  },
};

/** A listener on loopback that lies to whoever dials it. */
export class Liar implements AsyncDisposable {
  readonly address: string;
  readonly #key: Uint8Array;
  readonly #lies: Lies;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #running: Promise<void>;
  readonly #conns = new Set<Deno.Conn>();

  constructor(key: string, lies: Lies) {
    this.#key = fromHex(key);
    this.#lies = lies;
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#running = this.#accept();
  }

  async #accept(): Promise<void> {
    const talks: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.#conns.add(conn);
      talks.push(this.#talk(conn).finally(() => this.#conns.delete(conn)));
    }
    await Promise.all(talks);
  }

  async #talk(conn: Deno.Conn): Promise<void> {
    using _conn = conn;
    const name = discoveryKey(this.#key);
    const session = new Session({
      nonce: random.bytes(24).slice(),
      lookup: (wanted) => wanted.every((byte, at) => byte === name[at]) ? this.#key : undefined,
    });
    const piece = new Uint8Array(65536);
    let greeted = false;
    try {
      for (let count = await conn.read(piece); count !== null; count = await conn.read(piece)) {
        const received = session.receive(piece.slice(0, count));
        if (!greeted && session.phase !== "greeting") {
          greeted = true;
          await conn.write(session.encode(greeting(this.#key)).slice());
        }
        for (const item of received) await this.#answer(conn, session, item);
      }
    } catch {
      // Hung up on, as it should be.
    }
  }

  async #answer(conn: Deno.Conn, session: Session, { channel, message }: Received): Promise<void> {
    const say = (said: Message) => conn.write(session.encode([{ channel, message: said }]).slice());
    if (message.type === "feed" && channel > 0) await say(message);
    if (message.type === "want") await say(this.#lies.has);
    if (message.type !== "request") return;
    const answer = this.#lies.answer(message.index);
    if (answer !== undefined) await say(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // It is closed.
      }
    }
    await this.#running;
  }
}
