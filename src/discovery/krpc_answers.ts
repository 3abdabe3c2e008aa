/**
 * What our node of the BitTorrent DHT says to others: who else is there, and which peers announced
 * themselves here. Everything that strangers can make it keep is bounded. Source: BEP 5.
 */
import { createHash } from "node:crypto";
import { equalBytes, toHex } from "../base/bytes.ts";
import type { Krpc, KrpcPeer, KrpcQuestion } from "./krpc.ts";

/** A peer that does not announce itself again is gone. Source: spec of discovery, section 5. */
const PEER_MS = 30 * 60_000;

/** Infohashes kept for others; the one that was told of longest ago makes room. */
const MAX_INFOHASHES = 500;

/** Peers kept of each: as many as an answer has room for. */
const MAX_PEERS = 50;

/** Nodes in an answer. Source: BEP 5, K = 8; more would only serve those who forge senders. */
const NODES_PER_ANSWER = 8;

/** A token is good for one to two of these. Source: BEP 5. */
const TOKEN_MS = 5 * 60_000;

/** Answers per second: 30 kB at most, whoever asks. An ordinary node is asked a few times. */
const MAX_ANSWERS_PER_SECOND = 50;

const ERROR_PROTOCOL = 203;

export interface KrpcAnswersOptions {
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

export class KrpcAnswers {
  readonly #rpc: Krpc;
  readonly #options: KrpcAnswersOptions;
  /** When each peer of an infohash was told of, by its six bytes as characters. */
  readonly #peers = new Map<string, Map<string, number>>();
  #secrets: readonly [Uint8Array, Uint8Array];
  #secretsSince: number;
  #second = -1;
  #answers = 0;

  constructor(rpc: Krpc, options: KrpcAnswersOptions) {
    this.#rpc = rpc;
    this.#options = options;
    this.#secrets = [options.randomBytes(20), options.randomBytes(20)];
    this.#secretsSince = options.now();
    rpc.on("query", (question, from) => this.#answer(question, from));
  }

  /** Peers that announced themselves here. */
  peersOf(infoHash: Uint8Array): Uint8Array[] {
    const told = this.#peers.get(toHex(infoHash)) ?? new Map<string, number>();
    const oldest = this.#options.now() - PEER_MS;
    for (const [peer, time] of told) if (time < oldest) told.delete(peer);
    return [...told.keys()].map((peer) => Uint8Array.from(peer, (c) => c.charCodeAt(0)));
  }

  /** The message has the right shape: `krpc_check.ts` saw to that. */
  #answer(question: KrpcQuestion, from: KrpcPeer): void {
    if (!this.#mayAnswer()) return;
    const { id } = this.#rpc;
    const { target, info_hash: infoHash } = question.a;
    switch (question.q.toString()) {
      case "ping":
        return this.#rpc.response(from, question, { id });
      case "find_node":
        return this.#rpc.response(from, question, { id }, this.#closest(target!));
      case "get_peers": {
        const token = this.#token(from, this.#freshSecrets()[0]);
        const values = this.peersOf(infoHash!).map((peer) => Buffer.from(peer));
        const answer = values.length === 0 ? { id, token } : { id, token, values };
        return this.#rpc.response(from, question, answer, this.#closest(infoHash!));
      }
      case "announce_peer":
        return this.#announced(question, from);
    }
  }

  #announced(question: KrpcQuestion, from: KrpcPeer): void {
    const { info_hash: infoHash, token, port, implied_port: isImplied } = question.a;
    const isOurs = this.#freshSecrets().some((secret) =>
      equalBytes(token!, this.#token(from, secret))
    );
    if (!isOurs) return this.#rpc.error(from, question, [ERROR_PROTOCOL, "Bad token"]);
    const peerPort = isImplied ? from.port : port ?? 0;
    if (!(peerPort > 0 && peerPort < 65536)) {
      return this.#rpc.error(from, question, [ERROR_PROTOCOL, "Bad port"]);
    }
    this.#keep(toHex(infoHash!), [...from.address.split(".").map(Number), peerPort]);
    this.#rpc.response(from, question, { id: this.#rpc.id });
  }

  #keep(infoHash: string, [a, b, c, d, port]: number[]): void {
    const told = this.#peers.get(infoHash) ?? new Map<string, number>();
    const peer = String.fromCharCode(a, b, c, d, port >> 8, port & 255);
    told.delete(peer);
    told.set(peer, this.#options.now());
    if (told.size > MAX_PEERS) told.delete(told.keys().next().value!);
    this.#peers.delete(infoHash);
    this.#peers.set(infoHash, told);
    if (this.#peers.size > MAX_INFOHASHES) this.#peers.delete(this.#peers.keys().next().value!);
  }

  #closest(target: Uint8Array) {
    return this.#rpc.nodes.closest(target, NODES_PER_ANSWER);
  }

  #token({ address }: KrpcPeer, secret: Uint8Array): Buffer {
    return createHash("sha256").update(secret).update(address).digest().subarray(0, 8);
  }

  #freshSecrets(): readonly [Uint8Array, Uint8Array] {
    const now = this.#options.now();
    if (now - this.#secretsSince >= TOKEN_MS) {
      const isLate = now - this.#secretsSince >= 2 * TOKEN_MS;
      const { randomBytes } = this.#options;
      this.#secrets = [randomBytes(20), isLate ? randomBytes(20) : this.#secrets[0]];
      this.#secretsSince = now;
    }
    return this.#secrets;
  }

  #mayAnswer(): boolean {
    const second = Math.floor(this.#options.now() / 1000);
    if (second !== this.#second) [this.#second, this.#answers] = [second, 0];
    return ++this.#answers <= MAX_ANSWERS_PER_SECOND;
  }
}
