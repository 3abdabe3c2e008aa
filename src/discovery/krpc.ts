/** What is used of the package `k-rpc`, which has no types of its own. */
import type { UdpPort } from "./udp_port.ts";

/** The sender of a packet. */
export interface KrpcPeer {
  readonly address: string;
  readonly port: number;
}

/** A node of the routing table, or one that gave a token. */
export interface KrpcContact {
  readonly id: Buffer;
  readonly host: string;
  readonly port: number;
  readonly token?: Buffer;
  /** Wall clock, when it was last heard of. */
  readonly seen?: number;
}

export interface KrpcQuestion {
  readonly t: Buffer;
  readonly q: Buffer;
  readonly a: {
    readonly id: Buffer;
    readonly target?: Buffer;
    readonly info_hash?: Buffer;
    readonly token?: Buffer;
    readonly port?: number;
    readonly implied_port?: number;
  };
}

export interface KrpcAnswer {
  readonly r: {
    readonly id: Buffer;
    readonly token?: Buffer;
    readonly values?: readonly Buffer[];
  };
}

export interface KrpcMessage {
  readonly q: string;
  readonly a: Record<string, unknown>;
}

export interface Krpc {
  readonly id: Buffer;
  readonly nodes: {
    closest(target: Uint8Array, count: number): KrpcContact[];
    toArray(): KrpcContact[];
  };
  /** Asked besides the routing table while that has fewer nodes than these. */
  bootstrap: readonly { readonly host: string; readonly port: number }[];
  on(event: "query", listener: (question: KrpcQuestion, from: KrpcPeer) => void): unknown;
  on(event: "error" | "warning", listener: (error: Error) => void): unknown;
  /** `visit` may answer false: nobody else is asked then. */
  closest(
    target: Uint8Array,
    message: KrpcMessage,
    visit: (answer: KrpcAnswer, from: KrpcPeer) => boolean,
    done: () => void,
  ): void;
  queryAll(
    contacts: readonly KrpcContact[],
    message: KrpcMessage,
    visit: null,
    done: () => void,
  ): void;
  response(
    to: KrpcPeer,
    question: KrpcQuestion,
    answer: Record<string, unknown>,
    nodes?: readonly KrpcContact[],
  ): void;
  error(to: KrpcPeer, question: KrpcQuestion, error: readonly [number, string]): void;
  /** Forget all nodes. */
  clear(): void;
  destroy(): void;
}

export interface KrpcOptions {
  readonly socket: UdpPort;
  readonly id: Buffer;
  /** Questions on their way at once. */
  readonly concurrency: number;
  /** It has built-in ones. */
  readonly bootstrap: false;
}

/** @throws {Error} If it cannot be loaded; the message is a clause for people. */
export async function openKrpc(options: KrpcOptions): Promise<Krpc> {
  const { default: krpc } = await import("k-rpc").catch((error: Error) => {
    throw new Error(`cannot load k-rpc: ${error.message}`, { cause: error });
  });
  return krpc(options);
}
