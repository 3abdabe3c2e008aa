/** `trove peers [link or dir]` */
import { listPeers } from "../app/list_peers.ts";
import { rememberedIn } from "../app/remembered_peers.ts";
import { resolveLinkOrName } from "../app/resolve_link.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { NoPeersError, UsageError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import { discoveryOf, networkOf } from "./peer_choices.ts";

type PeersOptions = PeerOptions & NameCommandOptions;

/** Time for servers and nodes to answer. */
const TIMEOUT_MS = 12_000;

const STYLES = { has: "green", empty: "yellow", silent: "dim" } as const;

export function addPeers({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "peers [linkOrDir]",
    summary: "list who can be found that has an archive, and what each answers",
    examples: ["peers dat://…", "peers photos --json", "peers dat://… --discovery mdns"],
  });
  addPeerOptions(addNameOptions(command), world, "stop looking", { listens: false })
    .action((place: string | undefined, options: PeersOptions) =>
      perform(options, (context) => peers(place ?? ".", options, context))
    );
}

async function peers(
  place: string,
  options: PeersOptions,
  { world, output }: CommandContext,
): Promise<void> {
  using stop = abortOnStop(world, "Stopped before everybody was asked");
  const network = networkOf(options, world);
  const discovery = discoveryOf(options, world);
  const { key: publicKey } = await resolveLinkOrName(place, {
    ...{ world, network, names: namesOf(options, world) },
    emit: (event) => output.emit(event),
  }, stop.signal);
  const known = new Map<string, string>();
  for (const address of options.peer ?? []) known.set(address, "--peer");
  for (const address of rememberedIn(place, world)) {
    if (!known.has(address)) known.set(address, "worked before");
  }
  if (known.size === 0 && discovery === undefined) {
    throw new UsageError("Cannot look for peers without a way to find them", {
      hint: "say with --discovery how, or name one with --peer HOST:PORT",
    });
  }
  const answered = await listPeers({
    ...{ world, network, discovery, publicKey, known, signal: stop.signal },
    timeoutMs: options.timeout ?? TIMEOUT_MS,
    onPeer: ({ address, from, result, connected, message }) => {
      if (output.json) {
        output.record("peers", { address, from, result, connected, message });
        return;
      }
      const shown = output.paint(STYLES[result], address.padEnd(24));
      output.result(`${shown} ${from.padEnd(16)} ${printable(message)}`);
    },
  });
  if (answered > 0) return;
  throw new NoPeersError("Cannot find a peer that has this archive", {
    hint: "trove doctor LINK says what stands in the way",
  });
}
