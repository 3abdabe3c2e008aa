/** Servers that look up names, as people name them. */
export { parseDoh } from "../discovery/doh_servers.ts";
