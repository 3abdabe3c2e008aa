/** All links of a synchronizer: made, fed and ended as it says. What comes in over them it receives. */
import { toHex } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { FeedId, PeerAddress, PeerId, QuietEnd } from "../core/sync/inputs.ts";
import type { Message } from "../core/wire/messages.ts";
import { Session } from "../core/wire/session.ts";
import { NONCE_BYTES } from "../crypto/keystream.ts";
import { Channel, type Receiver } from "../csp/channel.ts";
import type { Connection } from "../io/connection.ts";
import { type Inbound, PeerLink } from "../io/peer_link.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import type { JoinedFeeds } from "./joined_feeds.ts";

/** Pieces of streams that wait for the loop; each is at most a read of 256 KiB. */
const INBOUND_PIECES = 8;

/** Sockets at once, those that are being closed included; the core has its own, lower limits. */
const MAX_LINKS = 256;

export interface PeerLinksOptions {
  readonly world: World;
  readonly network: PeerNetwork;
  readonly feeds: JoinedFeeds;
  /** See `SynchronizerOptions`. */
  readonly open?: (name: string) => Uint8Array | undefined;
  /** A task threw what it should not have: a bug. */
  readonly onFailure: (failure: unknown) => void;
}

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #inbound = new Channel<Inbound>(INBOUND_PIECES);
  readonly #links = new Map<PeerId, PeerLink>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #nextPeer: PeerId = 1;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** What links bring, and news of their beginnings and ends. */
  get inbound(): Receiver<Inbound> {
    return this.#inbound;
  }

  /** Hand something to a peer's link, if it is still there. */
  send(peer: PeerId, ...item: Parameters<PeerLink["send"]>): void {
    this.#links.get(peer)?.send(...item);
  }

  /** End a link: `done` lets what was sent go out first. */
  end(peer: PeerId, reason: TroveError | QuietEnd): void {
    const link = this.#links.get(peer);
    if (reason === "done") link?.finish();
    else link?.abort();
  }

  /** The connection of a link is gone, and that was received. */
  forget(peer: PeerId): void {
    this.#links.delete(peer);
  }

  /** Connect to an address and ask for an archive, or say why that cannot be. */
  dial(address: PeerAddress, primary: FeedId): void {
    this.#start(this.#dial(address, primary));
  }

  /** Take a connection that came in, unless there are too many. */
  welcome(connection: Connection): void {
    if (this.#links.size >= MAX_LINKS) return connection.close();
    const conn = this.#options.network.adopt(connection);
    this.#start(this.#run(conn, this.#openSession(), conn.remote));
  }

  /** Link over a connection that is there already; see `Synchronizer.link`. */
  adopt(
    connection: Connection,
    { primary, onEnd }: { primary?: FeedId; onEnd?: () => void },
  ): void {
    const { network, feeds } = this.#options;
    const conn = network.adopt(connection);
    const session = this.#openSession();
    if (primary !== undefined) session.open(feeds.publicKeyOf(primary)!);
    this.#start(this.#run(conn, session, conn.remote, primary, true).then(onEnd));
  }

  /** Drop every connection, and wait until nothing goes on any more. */
  async close(): Promise<void> {
    this.#abort.abort();
    for (const link of this.#links.values()) link.abort();
    // Whoever waits to hand something over is let go: nobody takes it any more.
    this.#inbound.close();
    await Promise.all(this.#tasks);
  }

  async #dial(address: PeerAddress, primary: FeedId): Promise<void> {
    const { network, feeds } = this.#options;
    const { signal } = this.#abort;
    let conn: Connection;
    try {
      conn = await network.dial(address, { signal });
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
      const reason = error.message;
      await this.#inbound.send({ kind: "unreachable", address, primary, reason });
      return;
    }
    if (signal.aborted) return conn.close();
    const publicKey = feeds.publicKeyOf(primary);
    if (publicKey === undefined) return conn.close(); // its archive left
    const session = this.#openSession();
    session.open(publicKey);
    await this.#run(conn, session, address, primary);
  }

  #openSession(): Session {
    const { world, feeds, open } = this.#options;
    return new Session({
      nonce: world.randomBytes(NONCE_BYTES),
      lookup: (discoveryKey) => {
        const name = toHex(discoveryKey);
        return feeds.keyNamed(name) ?? open?.(name);
      },
    });
  }

  async #run(
    conn: Connection,
    session: Session,
    address: PeerAddress,
    primary?: FeedId,
    patient?: boolean,
  ): Promise<void> {
    const peer = this.#nextPeer++;
    const onEncoded = (message: Message) => this.#options.feeds.recycle(message);
    const link = new PeerLink(peer, { conn, session, inbound: this.#inbound, onEncoded });
    this.#links.set(peer, link);
    const taken = await this.#inbound.send({ kind: "linked", peer, address, primary, patient });
    if (!taken) link.abort();
    await link.run();
  }

  /** Keep hold of a task until it ends. One that throws has found a bug: the loop ends with it. */
  #start(task: Promise<void>): void {
    const kept = task.catch((error) => this.#options.onFailure(error))
      .finally(() => this.#tasks.delete(kept));
    this.#tasks.add(kept);
  }
}
