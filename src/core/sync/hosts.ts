/** Which machine, or whose network, an address is of. */

/**
 * What connections from one place have in common: the IPv4 address, or the first 64 bits of the IPv6
 * address, which one household or server has to itself. Empty where the address names no host, as
 * that of a pipe.
 */
export function hostOf(address: string): string {
  const v6 = /^\[([0-9a-f:.]+)(?:%[^\]]*)?\]:\d+$/i.exec(address)?.[1].toLowerCase();
  const v4 = /^(?:\[::ffff:)?(\d+\.\d+\.\d+\.\d+)\]?:\d+$/i.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  if (v6 === undefined) return "";
  if (v6 === "::1") return v6;
  const [head, tail] = v6.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":") + "::/64";
}

/** Whether a host is this machine, or no host at all. */
export function isLocal(host: string): boolean {
  return host === "" || host === "::1" || host.startsWith("127.");
}
