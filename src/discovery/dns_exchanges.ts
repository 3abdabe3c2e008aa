/**
 * Questions that wait for their answers: sent again when none comes, and given up in the end. Source
 * of the times: dns-socket 4.2.2 `index.js`; spec of discovery, section 4.
 */
import type { Timers } from "../io/timers.ts";
import type { DnsMessage } from "./dns_message.ts";
import { decodePacket } from "./dns_packets.ts";

/** When a question is sent again, in milliseconds after the first time. */
const AGAIN_MS = [500, 1500, 3500, 7500];

/** When it is given up. */
export const GIVE_UP_MS = 7750;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ExchangesOptions {
  readonly timers: Timers;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly send: (bytes: Uint8Array, to: Address) => void;
}

export interface Question {
  readonly to: Address;
  readonly encode: (id: number) => Uint8Array;
  readonly answered: (answer: DnsMessage) => void;
  readonly gaveUp: () => void;
}

interface Waiting extends Question {
  readonly bytes: Uint8Array;
  sent: number;
  cancelTimer: () => void;
}

export class DnsExchanges {
  readonly #options: ExchangesOptions;
  readonly #waiting = new Map<number, Waiting>();

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  /** Ask. Returns the way to drop the question. */
  ask(question: Question): () => void {
    const id = this.#freeId();
    const waiting: Waiting = {
      ...question,
      ...{ bytes: question.encode(id), sent: 0, cancelTimer: () => {} },
    };
    this.#waiting.set(id, waiting);
    this.#send(id, waiting);
    return () => this.#drop(id, waiting);
  }

  /** Take a packet that came in. Undefined if it makes no sense, or was the answer to a question. */
  receive(bytes: Uint8Array, from: Address): DnsMessage | undefined {
    const packet = decodePacket(bytes);
    if (packet?.type !== "response") return packet;
    const waiting = this.#waiting.get(packet.id);
    // Whoever guesses an id must also be where the question went.
    if (waiting?.to.host !== from.host || waiting.to.port !== from.port) return undefined;
    this.#drop(packet.id, waiting);
    waiting.answered(packet);
    return undefined;
  }

  /** Drop every question. */
  clear(): void {
    for (const [id, waiting] of this.#waiting) this.#drop(id, waiting);
  }

  #send(id: number, waiting: Waiting): void {
    const { timers, send } = this.#options;
    send(waiting.bytes, waiting.to);
    const before = waiting.sent === 0 ? 0 : AGAIN_MS[waiting.sent - 1];
    const next = AGAIN_MS[waiting.sent++];
    waiting.cancelTimer = next === undefined
      ? timers.after(GIVE_UP_MS - before, () => {
        this.#drop(id, waiting);
        waiting.gaveUp();
      })
      : timers.after(next - before, () => this.#send(id, waiting));
  }

  #drop(id: number, waiting: Waiting): void {
    waiting.cancelTimer();
    if (this.#waiting.get(id) === waiting) this.#waiting.delete(id);
  }

  /** Drawn by chance, so that strangers cannot tell what the next one is. */
  #freeId(): number {
    for (;;) {
      const [high, low] = this.#options.randomBytes(2);
      const id = high << 8 | low;
      // 0 is no id to dns-socket. A few thousand are waiting at most.
      if (id !== 0 && !this.#waiting.has(id)) return id;
    }
  }
}
