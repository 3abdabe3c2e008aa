/**
 * Finding peers on the local network by multicast DNS, in the dialects of dat 13 and older and of
 * dat 14, over one socket. Sources: spec of discovery, sections 3 and 7, and of errors and limits,
 * section 8.
 *
 * Silence is usual here: where nobody else has the archive, nobody answers.
 */
import { Buffer } from "node:buffer";
import { MulticastLink } from "./mdns_link.ts";
import type { MulticastNetwork } from "./mdns_network.ts";
import { Outbox } from "./mdns_outbox.ts";
import { type Item, readItems } from "./mdns_packets.ts";
import { MdnsTopic } from "./mdns_topic.ts";
import type { DiscoverySource, Interest, SourceContext, SourceState } from "./source.ts";
import type { Topic } from "./topic.ts";

const TOKEN_BYTES = 32;

export class MdnsSource implements DiscoverySource {
  readonly name = "mdns";
  readonly #context: SourceContext;
  /** By their 40 hex digits: discovery keys are hashes, and no two of them begin alike. */
  readonly #topics = new Map<string, MdnsTopic>();
  readonly #outbox: Outbox;
  readonly #link: MulticastLink;
  /**
   * By which we know our answers of the older dialect when they come back, whoever they were made
   * for. dns-discovery makes one for each asker, knows only those it made for itself, and so finds
   * itself. One for all topics says no more of us than the address that packets come from.
   */
  readonly #token: string;
  #closed = false;

  constructor(context: SourceContext, network: MulticastNetwork) {
    this.#context = context;
    this.#token = Buffer.from(context.randomBytes(TOKEN_BYTES)).toString("base64");
    this.#outbox = new Outbox(context.timers);
    this.#link = new MulticastLink({
      ...{ timers: context.timers, network },
      opened: () => this.#each((topic) => topic.open()), // news when the first question is out
      lost: () => {
        this.#each((topic) => topic.shut());
        if (!this.#closed) context.changed();
      },
      recovered: () => context.changed(),
      received: (bytes, from) => this.#received(bytes, from),
    });
  }

  join(topic: Topic, interest: Interest): void {
    if (this.#closed) return;
    const joined = this.#topics.get(topic.label);
    if (joined !== undefined) return joined.set(interest);
    const { timers, random, randomBytes, changed } = this.#context;
    const created = new MdnsTopic({
      ...{ topic, timers, random, randomBytes, outbox: this.#outbox, token: this.#token },
      topics: () => this.#topics.size,
      send: (bytes, port) => this.#link.send(bytes, port),
      addressFor: (host) => this.#link.addressFor(host),
      changed: () => changed(topic),
    });
    this.#topics.set(topic.label, created);
    created.set(interest);
    if (this.#link.isOpen) created.open();
    else this.#link.start();
  }

  leave({ label }: Topic): void {
    this.#topics.get(label)?.shut();
    this.#topics.delete(label);
  }

  stateOf({ label }: Topic): SourceState {
    const { trouble } = this.#link;
    if (trouble !== undefined) return { state: "failed", message: trouble };
    return this.#topics.get(label)?.state ?? { state: "waiting", message: "not asked" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const topic of this.#topics.values()) topic.shut();
    this.#topics.clear();
    this.#outbox.close();
    await this.#link.close();
  }

  #each(act: (topic: MdnsTopic) => void): void {
    if (this.#closed) return;
    for (const topic of this.#topics.values()) act(topic);
  }

  #received(bytes: Uint8Array, { host, port }: { host: string; port: number }): void {
    if (this.#closed) return;
    const from = { host, port, isOwn: this.#link.isOwn(host) };
    for (const item of readItems(bytes)) {
      const topic = this.#topics.get(item.label);
      if (topic === undefined) continue;
      if (item.kind === "question") topic.questioned(item, from);
      else this.#peersNamed(topic, item, from);
    }
  }

  #peersNamed(
    topic: MdnsTopic,
    { dialect, mark, peers }: Item & { kind: "peers" },
    from: { readonly host: string; readonly port: number },
  ): void {
    if (mark === (dialect === "dat" ? this.#token : topic.mark)) return; // we said that
    let isNews = false;
    for (const peer of peers) {
      const host = peer.host ?? from.host;
      const port = peer.port ?? from.port;
      // Others tell of us too, and what is said to a question of type SRV has no mark.
      if (port === topic.interest.announce && this.#link.isOwn(host)) continue;
      isNews = true;
      this.#context.found(topic.topic, { host, port }, from.host);
    }
    if (isNews) topic.answeredBy(from.host);
  }
}
