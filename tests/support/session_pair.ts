/** Two sessions back to back: what one sends, the other receives. */
import { equalBytes } from "../../src/base/bytes.ts";
import { type Outgoing, type Received, Session } from "../../src/core/wire/session.ts";
import { discoveryKey } from "../../src/crypto/hash.ts";

const DIALLING_NONCE = new Uint8Array(24).fill(0x11);
const ACCEPTING_NONCE = new Uint8Array(24).fill(0x22);

export class SessionPair {
  readonly dialling: Session;
  readonly accepting: Session;
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;

  /** Nothing has been sent yet; the dialling side knows which feed it wants. */
  constructor(publicKey: Uint8Array = new Uint8Array(32).fill(7)) {
    this.publicKey = publicKey;
    this.discoveryKey = discoveryKey(publicKey);
    this.dialling = new Session({ nonce: DIALLING_NONCE });
    this.dialling.open(publicKey);
    this.accepting = new Session({
      nonce: ACCEPTING_NONCE,
      lookup: (wanted) => equalBytes(wanted, this.discoveryKey) ? publicKey : undefined,
    });
  }

  /** Feed and Handshake, as either side sends them first. */
  greeting(extensions: readonly string[] = []): Outgoing[] {
    return [
      { channel: 0, message: { type: "feed", discoveryKey: this.discoveryKey } },
      { channel: 0, message: { type: "handshake", live: true, extensions, ack: false } },
    ];
  }

  /** Both sides greet each other. */
  greet(extensions: readonly string[] = []): this {
    this.toAccepting(...this.greeting(extensions));
    this.toDialling(...this.greeting(extensions));
    return this;
  }

  /** Sent by the dialling side. */
  toAccepting(...outgoing: Outgoing[]): Received[] {
    return this.accepting.receive(this.dialling.encode(outgoing).slice());
  }

  /** Sent by the accepting side. */
  toDialling(...outgoing: Outgoing[]): Received[] {
    return this.dialling.receive(this.accepting.encode(outgoing).slice());
  }
}
