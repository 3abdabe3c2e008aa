/** Addresses as people give them; for the command line, which does not know sockets. */
export { DEFAULT_PORT, formatAddress, parseAddress } from "../io/net.ts";
