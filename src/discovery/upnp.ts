/**
 * Asking a router for a port by UPnP. Source: UPnP Device Architecture 1.1 (discovery, control) and
 * the services WANIPConnection:1, :2 and WANPPPConnection:1. What answers may be anything that is in
 * the local network: it is asked for nothing but its own address's pages, of limited size.
 */
import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";
import type { HostPort } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";
import type { Mapping, MapRequest, Router } from "./router.ts";

/** Where UPnP devices listen, by multicast. */
export const SSDP: HostPort = { host: "239.255.255.250", port: 1900 };

const DEVICES = [1, 2].map((n) => `urn:schemas-upnp-org:device:InternetGatewayDevice:${n}`);
const SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[12]$/;

/** Devices answer within a second, for that is what they are asked to do (MX); asked twice. */
const SEARCHED_AT = [0, 1_000];
const SEARCH_MS = 3_000;

/** Devices that are looked at closer, of those that claim to be a router. */
const MAX_DEVICES = 4;

const REQUEST_MS = 3_000;
const MAX_BODY_BYTES = 128 * 1024;

/** Error codes of AddPortMapping. */
const ONLY_PERMANENT = "725";

const DESCRIPTION = "trove";

/** An error code of UPnP. */
class UpnpError extends Error {
  constructor(readonly code: string) {
    super(`it says no, with code ${code}`);
  }
}

/** The first router that answers and has such a service; undefined if there is none. */
export async function findUpnpRouter(
  { timers, signal, ssdp = SSDP }: {
    readonly timers: Timers;
    readonly signal: AbortSignal;
    readonly ssdp?: HostPort;
  },
): Promise<Router | undefined> {
  for (const location of await search(ssdp, { timers, signal })) {
    try {
      return await UpnpRouter.open(location, signal);
    } catch {
      // It is no router, or not one that can do this.
    }
  }
  return undefined;
}

class UpnpRouter implements Router {
  readonly protocol = "UPnP";
  readonly #control: URL;
  readonly #service: string;
  /** Our own address as the router sees it. */
  readonly #localHost: string;

  static async open(location: URL, signal: AbortSignal): Promise<UpnpRouter> {
    const text = await request(location, { signal });
    const named = URL.parse(element(text, "URLBase") ?? "", location);
    const base = named?.hostname === location.hostname ? named : location;
    for (const service of text.split("<service>").slice(1)) {
      const type = element(service, "serviceType") ?? "";
      const control = URL.parse(element(service, "controlURL") ?? "", base);
      if (!SERVICE.test(type) || control?.protocol !== "http:") continue;
      if (control.hostname !== location.hostname) continue;
      return new UpnpRouter(control, type, await localHostTowards(location, signal));
    }
    throw new Error("it has no service for that");
  }

  private constructor(control: URL, service: string, localHost: string) {
    this.#control = control;
    this.#service = service;
    this.#localHost = localHost;
  }

  async map({ port, externalPort, lifetime }: MapRequest, signal: AbortSignal): Promise<Mapping> {
    const add = (seconds: number) =>
      this.#call("AddPortMapping", {
        NewRemoteHost: "",
        NewExternalPort: externalPort,
        NewProtocol: "TCP",
        NewInternalPort: port,
        NewInternalClient: this.#localHost,
        NewEnabled: 1,
        NewPortMappingDescription: DESCRIPTION,
        NewLeaseDuration: seconds,
      }, signal);
    try {
      await add(lifetime);
    } catch (error) {
      if (!(error instanceof UpnpError) || error.code !== ONLY_PERMANENT) throw error;
      await add(0); // renewed like others: the router may forget it when it starts anew
    }
    return { externalPort, lifetime };
  }

  async unmap({ externalPort }: { readonly externalPort: number }, signal: AbortSignal) {
    await this.#call("DeletePortMapping", {
      NewRemoteHost: "",
      NewExternalPort: externalPort,
      NewProtocol: "TCP",
    }, signal);
  }

  async externalHost(signal: AbortSignal): Promise<string | undefined> {
    try {
      const text = await this.#call("GetExternalIPAddress", {}, signal);
      const host = element(text, "NewExternalIPAddress") ?? "";
      return isIPv4(host) ? host : undefined;
    } catch {
      return undefined;
    }
  }

  /** @throws {Error} */
  #call(
    action: string,
    values: Readonly<Record<string, string | number>>,
    signal: AbortSignal,
  ): Promise<string> {
    const fields = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
    const body = '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${this.#service}">${fields.join("")}</u:${action}>` +
      "</s:Body></s:Envelope>\r\n";
    return request(this.#control, { signal, action: `"${this.#service}#${action}"`, body });
  }
}

/** Where the devices that say that they are routers describe themselves: at their own address. */
async function search(
  ssdp: HostPort,
  { timers, signal }: { readonly timers: Timers; readonly signal: AbortSignal },
): Promise<URL[]> {
  const found = new Map<string, URL>();
  const socket = createSocket("udp4");
  const cancels: (() => void)[] = [];
  let finish = () => {};
  try {
    await new Promise<void>((resolve) => {
      finish = resolve;
      signal.addEventListener("abort", finish);
      if (signal.aborted) finish();
      socket.on("error", () => resolve());
      socket.on("message", (bytes, { address }) => {
        const location = locationOf(new TextDecoder().decode(bytes), address);
        if (location !== undefined) found.set(location.href, location);
        if (found.size >= MAX_DEVICES) resolve();
        // One that answered is most likely the only one; others have a moment.
        else if (found.size > 0) cancels.push(timers.after(200, resolve));
      });
      const send = () => {
        for (const device of DEVICES) {
          const text = `M-SEARCH * HTTP/1.1\r\nHOST: ${SSDP.host}:${SSDP.port}\r\n` +
            `MAN: "ssdp:discover"\r\nMX: 1\r\nST: ${device}\r\n\r\n`;
          socket.send(text, ssdp.port, ssdp.host, () => {});
        }
      };
      cancels.push(...SEARCHED_AT.map((ms) => timers.after(ms, send)));
      cancels.push(timers.after(SEARCH_MS, resolve));
    });
  } finally {
    signal.removeEventListener("abort", finish);
    for (const cancel of cancels) cancel();
    socket.close();
  }
  return [...found.values()].slice(0, MAX_DEVICES);
}

/** Undefined if the answer is none, or names another host than its sender. */
function locationOf(answer: string, sender: string): URL | undefined {
  if (!/^HTTP\/1\.[01] 200/.test(answer)) return undefined;
  const header = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(\\S+)[ \\t]*\\r?$`, "im").exec(answer)?.[1];
  const location = URL.parse(header("location") ?? "");
  if (!DEVICES.includes(header("st") ?? "")) return undefined;
  return location?.protocol === "http:" && location.hostname === sender ? location : undefined;
}

/** The text of the first element of that name. */
function element(xml: string, name: string): string | undefined {
  const match = new RegExp(`<${name}(?:\\s[^<>]*)?>([^<]*)</${name}>`).exec(xml);
  return match?.[1].trim().replaceAll("&amp;", "&");
}

/** Get a page, or post a call. @throws {Error} */
async function request(
  url: URL,
  { signal, action, body }: {
    readonly signal: AbortSignal;
    readonly action?: string;
    readonly body?: string;
  },
): Promise<string> {
  const headers = action === undefined
    ? undefined
    : { "content-type": 'text/xml; charset="utf-8"', soapaction: action };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
  const method = body === undefined ? "GET" : "POST";
  const response = await fetch(url, { method, headers, body, signal: limit, redirect: "error" });
  const text = await readText(response);
  if (response.ok) return text;
  const code = /^\d{1,4}$/.exec(element(text, "errorCode") ?? "")?.[0];
  throw code === undefined ? new Error(`it answers ${response.status}`) : new UpnpError(code);
}

/** @throws {Error} If it is too long. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  for await (const piece of response.body ?? []) {
    if ((size += piece.length) > MAX_BODY_BYTES) throw new Error("it says too much");
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** Our own address, as seen by a host of the local network. */
async function localHostTowards({ hostname, port }: URL, signal: AbortSignal): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
  using connection = await Deno.connect({ hostname, port: Number(port || 80), signal: limit });
  return connection.localAddr.hostname;
}
