/** Web servers with a certificate of the tests' own, on loopback. */
import { fileURLToPath } from "node:url";

const read = (name: string) =>
  Deno.readTextFileSync(fileURLToPath(new URL(`tls/${name}`, import.meta.url)));

/** Trusts nobody but the servers below. */
export const TEST_CERT = read("localhost.crt");

const TLS = { cert: TEST_CERT, key: read("localhost.key") };

/** Where the certificate is, for `DENO_CERT`. */
export const TEST_CERT_PATH = fileURLToPath(new URL("tls/localhost.crt", import.meta.url));

export interface HttpsServer extends AsyncDisposable {
  readonly port: number;
  /** `https://localhost:PORT`. */
  readonly origin: string;
}

/** A server that answers as the handler says. */
export function startHttps(
  handle: (request: Request) => Response | Promise<Response>,
): HttpsServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, ...TLS, onListen: () => {} }, handle);
  const { port } = server.addr;
  return {
    port,
    origin: `https://localhost:${port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/**
 * A server that reads a request and then writes these bytes, whatever they are, with a pause before
 * each piece, and hangs up. `null` is to say nothing until the other side hangs up.
 */
export function startRawHttps(pieces: readonly (string | Uint8Array)[] | null): HttpsServer {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...TLS });
  const serving = (async () => {
    for await (const conn of listener) await serve(conn, pieces).catch(() => {});
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    port,
    origin: `https://localhost:${port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };
}

async function serve(conn: Deno.TlsConn, pieces: readonly (string | Uint8Array)[] | null) {
  using _ = conn;
  const buffer = new Uint8Array(4096);
  await conn.read(buffer);
  if (pieces === null) { while (await conn.read(buffer) !== null); }
  for (const piece of pieces ?? []) {
    const bytes = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
  }
  await conn.closeWrite();
}
