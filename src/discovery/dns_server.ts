/**
 * What one of dat's own discovery servers is asked, in which order and how fast. Source:
 * dns-discovery 6.2.3 `index.js`; spec of discovery, section 4.
 */
import type { Timers } from "../io/timers.ts";
import { DnsContact, type DnsContactOptions } from "./dns_contact.ts";
import type { DnsExchanges } from "./dns_exchanges.ts";
import type { DnsServerAddress } from "./dns_server_address.ts";
import { answeredValues, type DnsRequest, encodeRequest } from "./dns_packets.ts";
import type { Interest } from "./source.ts";

export interface DnsServerOptions extends Omit<DnsContactOptions, "ready"> {
  /** It named peers of an archive, whose label (40 hex digits) is given. */
  readonly named: (label: string, peers: string, server: DnsServer) => void;
  /** What it answers of itself may have changed, or what it does of one archive. */
  readonly changed: (label?: string) => void;
}

interface Asked {
  interest: Interest;
  /** The port that it may have us at. */
  announced?: number;
  /** It answered the last question. */
  answered?: boolean;
  /** It was asked a second time because the token had become a wrong one. */
  repeated?: boolean;
  /** Drops the question that waits for an answer. */
  drop?: () => void;
}

/** Between two packets to one server: many archives are asked for one after the other. */
const GAP_MS = 20;

/** The same when there is no time left. */
const HASTY_GAP_MS = 1;

/** Questions that wait for an answer of one server, so that a silent one costs little. */
const MAX_WAITING = 32;

/** Announcements to take back. What is beyond that is forgotten by the server in time. */
const MAX_WITHDRAWALS = 10_000;

export class DnsServer {
  readonly contact: DnsContact;
  readonly #timers: Timers;
  readonly #exchanges: DnsExchanges;
  readonly #options: DnsServerOptions;
  readonly #asked = new Map<string, Asked>();
  readonly #due = new Set<string>();
  /** What is to be taken back, as label and port. */
  readonly #withdrawals = new Set<string>();
  #waiting = 0;
  #heardAt = -Infinity;
  #cancelGap: (() => void) | undefined;
  #ending: { readonly done: () => void } | undefined;

  constructor(given: DnsServerAddress, options: DnsServerOptions) {
    this.#options = options;
    this.#timers = options.timers;
    this.#exchanges = options.exchanges;
    const changed = () => options.changed();
    this.contact = new DnsContact(given, { ...options, changed, ready: () => this.#work() });
  }

  hasAnswered(label: string): boolean {
    return this.contact.failure === undefined && this.#asked.get(label)?.answered === true;
  }

  /** Ask for an archive, and announce it, as soon as may be. */
  ask(label: string, interest: Interest): void {
    let asked = this.#asked.get(label);
    if (asked === undefined) this.#asked.set(label, asked = { interest });
    if (asked.announced !== interest.announce) this.#withdraw(label, asked);
    asked.interest = interest;
    asked.repeated = false;
    this.#withdrawals.delete(`${label} ${interest.announce}`);
    this.#due.add(label);
    this.#work();
  }

  /** Have no more to do with an archive. */
  leave(label: string): void {
    const asked = this.#asked.get(label);
    if (asked === undefined) return;
    asked.drop?.();
    this.#asked.delete(label);
    this.#due.delete(label);
    this.#withdraw(label, asked);
    if (this.#asked.size === 0 && this.contact.token === undefined) {
      this.#withdrawals.clear(); // it is not there, and nothing else is wanted of it
      this.contact.stop();
    }
    this.#work();
  }

  /** Leave everything. Resolves when the server confirmed what was withdrawn, if ever it does. */
  end(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ending = { done: resolve };
    for (const label of [...this.#asked.keys()]) this.leave(label);
    this.#cancelGap?.();
    this.#cancelGap = undefined;
    this.#work();
    return promise;
  }

  close(): void {
    this.#cancelGap?.();
    this.contact.stop();
  }

  get #isIdle(): boolean {
    return this.#due.size === 0 && this.#withdrawals.size === 0 && this.#waiting === 0 &&
      this.#asked.size === 0;
  }

  #withdraw(label: string, asked: Asked): void {
    const { announced } = asked;
    asked.announced = undefined;
    if (announced === undefined || this.#withdrawals.size >= MAX_WITHDRAWALS) return;
    this.#withdrawals.add(`${label} ${announced}`);
  }

  /** Send what is next, and see to it that the rest follows. */
  #work(): void {
    if (this.#cancelGap !== undefined) return;
    if (this.#ending !== undefined && (this.#isIdle || this.contact.token === undefined)) {
      return this.#ending.done();
    }
    if (this.#due.size === 0 && this.#withdrawals.size === 0) return;
    if (this.contact.token === undefined) return this.contact.begin();
    if (this.#waiting >= MAX_WAITING && this.#ending === undefined) return;
    const [withdrawal] = this.#withdrawals;
    const [label] = this.#due;
    if (withdrawal !== undefined) {
      this.#withdrawals.delete(withdrawal);
      this.#sendWithdrawal(withdrawal);
    } else {
      this.#due.delete(label);
      this.#sendAsked(label, this.#asked.get(label)!);
    }
    const gap = this.#ending === undefined ? GAP_MS : HASTY_GAP_MS;
    this.#cancelGap = this.#timers.after(gap, () => {
      this.#cancelGap = undefined;
      this.#work();
    });
  }

  #sendWithdrawal(withdrawal: string): void {
    const [label, port] = withdrawal.split(" ");
    this.#request(label, { subscribe: false, unannounce: Number(port) }, () => {});
  }

  #sendAsked(label: string, asked: Asked): void {
    asked.drop?.();
    const { lookup, announce } = asked.interest;
    asked.announced = announce;
    const token = this.contact.token;
    asked.drop = this.#request(label, { subscribe: lookup, announce }, (values) => {
      asked.drop = undefined;
      if (asked.answered !== (values !== undefined)) {
        asked.answered = values !== undefined;
        this.#options.changed(label);
      }
      if (values === undefined) return;
      // The server heeds no question with a wrong token, and tells the right one.
      if (values.get("token") !== token && !asked.repeated) {
        asked.repeated = true;
        this.#due.add(label);
      }
      this.#options.named(label, values.get("peers") ?? "", this);
    });
  }

  /** Returns the way to drop the question. */
  #request(
    label: string,
    what: Pick<DnsRequest, "subscribe" | "announce" | "unannounce">,
    ended: (values: ReadonlyMap<string, string> | undefined) => void,
  ): () => void {
    const name = `${label}.${this.#options.domain}`;
    const token = this.contact.token!;
    const begun = this.#timers.now();
    this.#waiting++;
    const end = (values: ReadonlyMap<string, string> | undefined) => {
      this.#waiting--;
      ended(values);
      this.#work();
    };
    const drop = this.#exchanges.ask({
      to: this.contact.address!,
      encode: (id) => encodeRequest(id, { name, token, ...what }),
      answered: (answer) => {
        this.#heardAt = this.#timers.now();
        const values = answeredValues(answer, name);
        this.contact.keepToken(values);
        end(values);
      },
      gaveUp: () => {
        // One question may get lost; but when nothing was heard since, nobody is there.
        if (this.#heardAt < begun && this.contact.token !== undefined) this.contact.giveUp();
        end(undefined);
      },
    });
    return () => {
      this.#waiting--;
      drop();
    };
  }
}
