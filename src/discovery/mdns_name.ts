/**
 * One name of one topic: asks for it over and over, and answers those who ask. It has a clock and a
 * way to send, and knows nothing of sockets.
 */
import type { Timers } from "../io/timers.ts";
import { PORT, type QuestionType } from "./mdns_packets.ts";
import type { Outbox } from "./mdns_outbox.ts";

/**
 * Time between two answers to one name, so that a question with a false sender makes no flood.
 * Source: spec of errors and limits, section 8. Who asks meanwhile is answered at the end of it:
 * it may not have heard the answer before.
 */
export const ANSWER_MS = 1000;

/** What we ask comes back to us within this time, if at all. */
const ECHO_MS = 1000;

/** Those who asked since the last answer. */
export interface Asked {
  readonly types: ReadonlySet<QuestionType>;
  /** The last of them; undefined if nobody asked. */
  readonly asker: string | undefined;
}

export interface NameOptions {
  readonly timers: Timers;
  readonly outbox: Outbox;
  readonly question: Uint8Array;
  /** What is said to those who ask. */
  readonly answer: (port: number, asked: Asked) => Uint8Array;
  /** What is said unasked answers this. */
  readonly type: QuestionType;
  /** Whether who asks from another port than the protocol's own is answered there. */
  readonly answersAtPort: boolean;
  /** Milliseconds to the next question. */
  readonly period: () => number;
  /** Send to the group, at a port. Returns how many copies come back to us. */
  readonly send: (bytes: Uint8Array, port: number) => number;
  /** A question went out. */
  readonly asked: () => void;
}

/** Whether to ask, and the port to answer with. */
export interface NameInterest {
  readonly asks: boolean;
  readonly port: number | undefined;
}

interface Answer {
  /** UDP port of the group to send it to. */
  to: number;
  readonly types: Set<QuestionType>;
  asker: string | undefined;
}

export class MdnsName {
  readonly #options: NameOptions;
  #interest: NameInterest = { asks: false, port: undefined };
  #isOpen = false;
  #cancelQuestion: (() => void) | undefined;
  #answer: Answer | undefined;
  #cancelAnswer: (() => void) | undefined;
  #answeredAt = -Infinity;
  /** How many copies of our own question are still to come back, and until when. */
  #echoes = 0;
  #echoesUntil = 0;

  constructor(options: NameOptions) {
    this.#options = options;
  }

  set(interest: NameInterest): void {
    const before = this.#interest;
    this.#interest = interest;
    if (!interest.asks) this.#stopAsking();
    if (interest.port === undefined) this.#stopAnswering();
    if (!this.#isOpen) return;
    if (interest.asks && !before.asks) this.#ask();
    if (interest.port !== before.port) this.#announce();
  }

  /** Packets come and go from now on: ask, and say unasked what we have. */
  open(): void {
    this.#isOpen = true;
    if (this.#interest.asks) this.#ask();
    this.#announce();
  }

  /** They do not any more. */
  shut(): void {
    this.#isOpen = false;
    this.#echoes = 0;
    this.#stopAsking();
    this.#stopAnswering();
  }

  /**
   * Somebody asked.
   *
   * @param from.isOwn Whether that is one of our own addresses.
   * @returns Whether it was somebody else, and not our own question coming back.
   */
  questioned(
    type: QuestionType,
    from: { readonly host: string; readonly port: number; readonly isOwn: boolean },
  ): boolean {
    // Another program of this host may have the same address and port, so copies are counted: if it
    // is theirs that is taken for ours, then ours is taken for theirs, and answered.
    const { timers } = this.#options;
    if (from.isOwn && from.port === PORT && this.#echoes > 0 && timers.now() < this.#echoesUntil) {
      this.#echoes--;
      return false;
    }
    this.#wantAnswer(type, this.#options.answersAtPort ? from.port : PORT, from.host);
    return true;
  }

  #ask(): void {
    const { asked, outbox, period, question, send, timers } = this.#options;
    this.#cancelQuestion?.();
    this.#cancelQuestion = outbox.post(() => {
      this.#cancelQuestion = timers.after(period(), () => this.#ask());
      this.#echoes = send(question, PORT);
      this.#echoesUntil = timers.now() + ECHO_MS;
      asked();
    });
  }

  #stopAsking(): void {
    this.#cancelQuestion?.();
    this.#cancelQuestion = undefined;
  }

  /** Those who wait hear of us at once. */
  #announce(): void {
    this.#wantAnswer(this.#options.type, PORT, undefined);
  }

  #wantAnswer(type: QuestionType, to: number, asker: string | undefined): void {
    if (!this.#isOpen || this.#interest.port === undefined) return;
    if (this.#answer !== undefined) {
      this.#answer.types.add(type);
      // All who speak the protocol listen at its own port; other ports are for the curious.
      if (this.#answer.to !== PORT) this.#answer.to = to;
      this.#answer.asker = asker ?? this.#answer.asker;
      return;
    }
    this.#answer = { to, types: new Set([type]), asker };
    const { timers, outbox } = this.#options;
    const wait = this.#answeredAt + ANSWER_MS - timers.now();
    const post = () => this.#cancelAnswer = outbox.post(() => this.#sendAnswer());
    if (wait <= 0) post();
    else this.#cancelAnswer = timers.after(wait, post);
  }

  #sendAnswer(): void {
    const { answer, send, timers } = this.#options;
    const { to, types, asker } = this.#answer!;
    this.#answer = undefined;
    this.#cancelAnswer = undefined;
    this.#answeredAt = timers.now();
    send(answer(this.#interest.port!, { types, asker }), to);
  }

  #stopAnswering(): void {
    this.#cancelAnswer?.();
    this.#cancelAnswer = undefined;
    this.#answer = undefined;
  }
}
