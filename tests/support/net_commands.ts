/**
 * The few programs that make networks: `ip` (iproute2) and `nft` (nftables), run to their ends.
 *
 * What the machine lets us do is tried once per process, with namespaces that are gone afterwards.
 */

/** Run a program to its end, `input` on its stdin. Gives its stdout. */
export async function runTool(command: readonly string[], input = ""): Promise<string> {
  const [program, ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that fails early does not read it all: its exit code tells.
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot run "${command.join(" ")}": ${said}\n${input}`);
  }
  return new TextDecoder().decode(stdout);
}

/** What to put in front of a command to run it in a network namespace. */
export function inNamespace(namespace: string): readonly string[] {
  return ["ip", "netns", "exec", namespace];
}

/** Lines of `ip` commands, such as "link set lo up", in a network namespace. The first that fails ends it. */
export async function runIp(namespace: string, lines: readonly string[]): Promise<void> {
  await runTool(["ip", "-n", namespace, "-batch", "-"], lines.join("\n") + "\n");
}

/** Load a script of nftables rules in a network namespace. */
export async function runNft(namespace: string, script: string): Promise<void> {
  await runTool([...inNamespace(namespace), "nft", "-f", "-"], script);
}

export interface LabSupport {
  /** Why there can be no lab here, if so. */
  readonly missing?: string;
  /** Why nothing can be filtered or translated, if so: no NAT, no loss, no lists of destinations. */
  readonly missingFilters?: string;
}

let support: LabSupport | undefined;

/** What can be had on this machine. Tried once; what is missing is told once, on stderr. */
export function labSupport(): LabSupport {
  if (support !== undefined) return support;
  support = trySupport();
  const { missing, missingFilters } = support;
  if (missing !== undefined) console.warn(`No network namespaces here, tests skipped: ${missing}`);
  else if (missingFilters !== undefined) {
    console.warn(`No nftables here, tests skipped: ${missingFilters}`);
  }
  return support;
}

function trySupport(): LabSupport {
  if (Deno.build.os !== "linux") return { missing: `this is ${Deno.build.os}` };
  if (Deno.uid() !== 0) return { missing: "only root can make them" };
  const namespace = `trove-try-${crypto.randomUUID().slice(0, 8)}`;
  const failure = (...command: string[]): string | undefined => {
    const [program, ...args] = command;
    try {
      const { success, stderr } = new Deno.Command(program, { args }).outputSync();
      return success ? undefined : new TextDecoder().decode(stderr).trim() || command.join(" ");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return `there is no program "${program}"`;
    }
  };
  const made = failure("ip", "netns", "add", namespace);
  if (made !== undefined) return { missing: made };
  try {
    const ip = (...words: string[]) => failure("ip", "-n", namespace, ...words);
    const missing = ip("link", "add", "br1", "type", "bridge", "mcast_snooping", "0") ??
      ip("link", "add", "port", "type", "veth", "peer", "name", "eth0");
    if (missing !== undefined) return { missing };
    // One rule of each kind that labs use.
    const rules = [
      "table ip nat { chain after { type nat hook postrouting priority 100; oifname x snat to 10.77.1.1; }; };",
      "table netdev port { chain in { type filter hook ingress device port priority 0; numgen random mod 1000 < 10 drop; }; };",
    ];
    const missingFilters = failure(...inNamespace(namespace), "nft", rules.join(" "));
    return missingFilters === undefined ? {} : { missingFilters };
  } finally {
    failure("ip", "netns", "del", namespace);
  }
}
