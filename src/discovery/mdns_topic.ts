/** What multicast DNS does for one topic, in both dialects, and what came of it. */
import { count } from "../base/format.ts";
import type { Timers } from "../io/timers.ts";
import { MdnsName } from "./mdns_name.ts";
import type { Outbox } from "./mdns_outbox.ts";
import {
  type Dialect,
  encodeDatAnswer,
  encodeDatQuestion,
  encodeHyperswarmAnswer,
  encodeHyperswarmQuestion,
  markOf,
  type QuestionType,
} from "./mdns_packets.ts";
import type { Interest, SourceState } from "./source.ts";
import type { Topic } from "./topic.ts";

/** Hosts that are told apart in what is shown to people. */
const MAX_HOSTS = 100;

const ID_BYTES = 32;

/**
 * Milliseconds between two questions: the least, and what is added at random. Sources: spec of
 * discovery, sections 3 and 7; discovery-channel 5.5.1 and @hyperswarm/discovery 2.0.1.
 *
 * An archive that is looked for costs 0.9 questions a minute in dat's dialect and 1.3 in
 * hyperswarm's, each of about 80 bytes. One that is only announced costs the 0.9: hyperswarm's
 * announcers do not ask. Each announced name adds one answer when it begins, and one for all who ask
 * within a second: at the usual pace, 0.9 and 1.3 a minute for each other peer that asks. All of
 * that on every interface.
 */
const PERIODS: Readonly<Record<Dialect, readonly [least: number, spread: number]>> = {
  dat: [60_000, 10_000],
  hyperswarm: [30_000, 30_000],
};

/** Questions a minute for an archive that is looked for, up to `FULL_PACE_TOPICS` of them. */
export const QUESTIONS_PER_MINUTE = Object.values(PERIODS)
  .reduce((sum, [least, spread]) => sum + 60_000 / (least + spread / 2), 0);

/**
 * Archives that are asked for at the usual pace, which makes 9 packets a second. With more of them
 * each is asked for less often, so that all together stay at that. It costs little: who begins to
 * announce says so, and is heard by all who wait.
 */
export const FULL_PACE_TOPICS = 250;

export interface MdnsTopicOptions {
  readonly topic: Topic;
  readonly timers: Timers;
  readonly random: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly outbox: Outbox;
  /** By which the process knows its answers of the older dialect. */
  readonly token: string;
  /** How many topics have joined. */
  readonly topics: () => number;
  readonly send: (bytes: Uint8Array, port: number) => number;
  /** Our own address towards another. */
  readonly addressFor: (host: string) => string | undefined;
  /** What `state` answers may have changed. */
  readonly changed: () => void;
}

export class MdnsTopic {
  readonly topic: Topic;
  /** By which we know our packets of the newer dialect. */
  readonly mark: string;
  readonly #options: MdnsTopicOptions;
  readonly #names: Readonly<Record<Dialect, MdnsName>>;
  #interest: Interest = { lookup: false, announce: undefined };
  #questions: Record<Dialect, number> = { dat: 0, hyperswarm: 0 };
  readonly #answered = new Set<string>();
  readonly #askers = new Set<string>();

  constructor(options: MdnsTopicOptions) {
    const { topic, token, addressFor } = options;
    const { label } = topic;
    const id = options.randomBytes(ID_BYTES);
    this.#options = options;
    this.topic = topic;
    this.mark = markOf(id);
    this.#names = {
      dat: this.#name("dat", "TXT", encodeDatQuestion(label), (port, { types, asker }) => {
        const address = asker === undefined ? undefined : addressFor(asker);
        return encodeDatAnswer({ label, port, token, types, address });
      }),
      hyperswarm: this.#name(
        "hyperswarm",
        "SRV",
        encodeHyperswarmQuestion(label),
        (port, { asker }) => encodeHyperswarmAnswer({ label, port, id, asker }),
      ),
    };
  }

  get interest(): Interest {
    return this.#interest;
  }

  set(interest: Interest): void {
    this.#interest = interest;
    const { lookup, announce: port } = interest;
    this.#names.dat.set({ asks: lookup || port !== undefined, port });
    this.#names.hyperswarm.set({ asks: lookup, port });
  }

  /** Packets come and go from now on, maybe on another network than before. */
  open(): void {
    this.#questions = { dat: 0, hyperswarm: 0 };
    this.#answered.clear();
    this.#askers.clear();
    for (const name of Object.values(this.#names)) name.open();
  }

  shut(): void {
    for (const name of Object.values(this.#names)) name.shut();
  }

  /** Somebody asked for it, or we did and hear it back. */
  questioned(
    { dialect, type, mark }: { dialect: Dialect; type: QuestionType; mark: string | undefined },
    from: { readonly host: string; readonly port: number; readonly isOwn: boolean },
  ): void {
    if (mark === this.mark) return;
    if (dialect === "hyperswarm" && type !== "SRV") return;
    if (this.#names[dialect].questioned(type, from)) this.#note(this.#askers, from.host);
  }

  /** A host said where peers are. */
  answeredBy(host: string): void {
    this.#note(this.#answered, host);
  }

  get state(): SourceState {
    const { lookup, announce } = this.#interest;
    const isHeard = this.#answered.size + this.#askers.size > 0;
    const questions = Math.max(this.#questions.dat, this.#questions.hyperswarm);
    if (questions === 0) return { state: "waiting", message: "about to ask the local network" };
    const askers = `${countHosts(this.#askers)} asked for it`;
    const parts = lookup
      ? [
        `asked ${questions === 1 ? "once" : `${questions} times`}, ${
          countHosts(this.#answered)
        } answered`,
      ]
      : [];
    if (announce !== undefined && !lookup) parts.push("announced", askers);
    else if (announce !== undefined && this.#askers.size > 0) parts.push(askers);
    return { state: isHeard ? "working" : "waiting", message: parts.join(", ") };
  }

  #name(
    dialect: Dialect,
    type: QuestionType,
    question: Uint8Array,
    answer: (
      port: number,
      asked: { types: ReadonlySet<QuestionType>; asker: string | undefined },
    ) => Uint8Array,
  ): MdnsName {
    const { timers, outbox, random, send, topics, changed } = this.#options;
    const [least, spread] = PERIODS[dialect];
    return new MdnsName({
      ...{ timers, outbox, type, question, answer, send },
      answersAtPort: dialect === "dat",
      period: () => (least + random() * spread) * Math.max(1, topics() / FULL_PACE_TOPICS),
      asked: () => {
        this.#questions[dialect]++;
        if (this.#questions[dialect] === 1) changed();
      },
    });
  }

  #note(hosts: Set<string>, host: string): void {
    if (hosts.size >= MAX_HOSTS || hosts.has(host)) return;
    hosts.add(host);
    this.#options.changed();
  }
}

function countHosts({ size }: ReadonlySet<string>): string {
  if (size === 0) return "nobody";
  if (size >= MAX_HOSTS) return `${MAX_HOSTS} hosts or more`;
  return count(size, "host");
}
