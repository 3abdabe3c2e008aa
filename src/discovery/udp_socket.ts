/** A UDP socket, as sources of peers use it: packets go out and come in, and nothing throws. */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";

/** What is told of what came in. */
export interface UdpEvents {
  /** @param bytes Belongs to the receiver. */
  received(bytes: Uint8Array, from: { readonly host: string; readonly port: number }): void;
  /** The socket is of no use any more, and closed. */
  failed(error: Error): void;
}

export interface UdpSocket {
  /** Send, or not: UDP promises nothing, and what the system says of it is not told. */
  send(bytes: Uint8Array, to: { readonly host: string; readonly port: number }): void;
  close(): Promise<void>;
}

/** How a socket is opened; tests give another. */
export type OpenUdp = (events: UdpEvents) => UdpSocket;

/** Every address, and any free port. */
const ANY = "0.0.0.0:0";

/** An IPv4 socket on any free port. */
export const openUdp: OpenUdp = (events) => {
  // A refusal would be thrown where nobody can catch it.
  if (Deno.permissions.querySync({ name: "net", host: ANY }).state !== "granted") {
    queueMicrotask(() => events.failed(new Error("no permission to use the network")));
    return { send() {}, close: () => Promise.resolve() };
  }
  const socket = createSocket("udp4");
  let closed: Promise<void> | undefined;
  const close = () =>
    closed ??= new Promise((resolve) => {
      try {
        socket.close(() => resolve());
      } catch {
        resolve(); // it never opened
      }
    });
  socket.on("error", (error: Error) => {
    if (closed !== undefined) return;
    close();
    events.failed(error);
  });
  socket.on("message", (bytes: Buffer, { address, port }: { address: string; port: number }) => {
    if (closed === undefined) events.received(new Uint8Array(bytes), { host: address, port });
  });
  socket.bind(0);
  return {
    send(bytes, { host, port }) {
      if (closed !== undefined) return;
      try {
        socket.send(Buffer.from(bytes), port, host, () => {});
      } catch {
        // No way there, or none now: the answer stays away, which is noticed.
      }
    },
    close,
  };
};
