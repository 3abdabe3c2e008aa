/** A router on the loopback interface that maps ports by NAT-PMP and UPnP, as the test says. */
import { createSocket, type Socket } from "node:dgram";
import type { HostPort } from "../../src/io/peer_address.ts";
import { LOOPBACK } from "./dht.ts";

const SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1";
const DEVICE = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

interface Options {
  /** What NAT-PMP answers to a question; nothing if it is left out. */
  readonly natPmp?: (question: DataView) => Uint8Array | undefined;
  /** UPnP calls: the error code to answer, or what is inside of the answer. */
  readonly call?: (action: string, values: Record<string, string>) => number | string;
  /** What is described, if it is not a plain router. */
  readonly description?: string;
  /** The host that answers to a search name as theirs. */
  readonly location?: string;
}

export class FakeRouter implements AsyncDisposable {
  /** Calls as they came: `AddPortMapping 3282 3600`. */
  readonly calls: string[] = [];
  readonly #options: Options;
  readonly #sockets: Socket[] = [];
  #http: Deno.HttpServer<Deno.NetAddr> | undefined;
  gateway: HostPort = { host: LOOPBACK, port: 0 };
  ssdp: HostPort = { host: LOOPBACK, port: 0 };

  static async open(options: Options = {}): Promise<FakeRouter> {
    const router = new FakeRouter(options);
    router.gateway = await router.#listen((question) =>
      options.natPmp?.(new DataView(question.buffer, question.byteOffset, question.length))
    );
    router.ssdp = await router.#listen((question) => router.#searched(question));
    if (options.call === undefined) return router;
    router.#http = Deno.serve(
      { hostname: LOOPBACK, port: 0, onListen: () => {} },
      (request) => router.#answer(request),
    );
    return router;
  }

  private constructor(options: Options) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.shutdown();
    await Promise.all(
      this.#sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    );
  }

  async #listen(answer: (question: Uint8Array) => Uint8Array | undefined): Promise<HostPort> {
    const socket = createSocket("udp4");
    this.#sockets.push(socket);
    await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve));
    socket.on("message", (question, { address, port }) => {
      const bytes = answer(question);
      if (bytes !== undefined) socket.send(bytes, port, address);
    });
    return { host: LOOPBACK, port: socket.address().port };
  }

  #searched(question: Uint8Array): Uint8Array | undefined {
    const text = new TextDecoder().decode(question);
    if (this.#http === undefined || !text.includes(`ST: ${DEVICE}\r\n`)) return undefined;
    const location = this.#options.location ?? `http://${LOOPBACK}:${this.#http.addr.port}/d.xml`;
    return new TextEncoder().encode(
      `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${DEVICE}\r\nLocation: ${location}\r\n\r\n`,
    );
  }

  async #answer(request: Request): Promise<Response> {
    if (request.method === "GET") return new Response(this.#options.description ?? DESCRIPTION);
    const action = /#(\w+)"$/.exec(request.headers.get("soapaction") ?? "")![1];
    const values: Record<string, string> = {};
    for (const [, name, value] of (await request.text()).matchAll(/<(New\w+)>([^<]*)</g)) {
      values[name] = value;
    }
    const { NewExternalPort: port, NewLeaseDuration: lease } = values;
    this.calls.push([action, port, lease].filter((part) => part !== undefined).join(" "));
    const answer = this.#options.call!(action, values);
    if (typeof answer === "string") return new Response(`<s:Envelope>${answer}</s:Envelope>`);
    return new Response(`<s:Fault><errorCode>${answer}</errorCode></s:Fault>`, { status: 500 });
  }
}

const DESCRIPTION = `<?xml version="1.0"?><root><device><deviceType>${DEVICE}</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<controlURL>/l3</controlURL></service>
<service><serviceType>${SERVICE}</serviceType><controlURL> /ctl?a=1&amp;b=2 </controlURL></service>
</serviceList></device></root>`;

/** Answers of NAT-PMP: the mapping that is wished for, or another port, and an address. */
export function natPmpAnswer(
  question: DataView,
  { port, lifetime, result = 0 }: { port?: number; lifetime?: number; result?: number } = {},
): Uint8Array {
  const op = question.getUint8(1);
  const answer = new DataView(new ArrayBuffer(op === 0 ? 12 : 16));
  answer.setUint8(1, 128 + op);
  answer.setUint16(2, result);
  if (op === 0) answer.setUint32(8, 0x08080404);
  else {
    answer.setUint16(8, question.getUint16(4));
    answer.setUint16(10, port ?? question.getUint16(6));
    answer.setUint32(12, lifetime ?? question.getUint32(8));
  }
  return new Uint8Array(answer.buffer);
}
