/** Where peers are, as people say it; for the command line, which knows no sockets. */
export type { ListenOptions } from "../io/net.ts";
export {
  ANY_HOST,
  DEFAULT_PORT,
  formatPeer,
  parseAddress as parseHostPort,
  parsePeer,
  parseProxy,
  parseUnix,
  type Proxy,
} from "../io/peer_address.ts";
export type { PeerNetwork } from "../io/peer_network.ts";
