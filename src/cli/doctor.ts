/** `trove doctor [link]` */
import { type Check, runDoctor } from "../app/doctor.ts";
import type { TroveEvent } from "../app/events.ts";
import { resolveLinkOrName } from "../app/resolve_link.ts";
import { runSelfTest } from "../app/self_test.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { NoPeersError, TroveError, UsageError } from "../base/errors.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import type { CommandOutput, Style } from "./output.ts";
import { discoveryOf, listenOn, networkOf } from "./peer_choices.ts";

/** Time for servers and nodes to answer. */
const TIMEOUT_MS = 12_000;

const STYLES: Record<Check["state"], Style> = { ok: "green", note: "yellow", problem: "red" };

interface DoctorCommandOptions extends PeerOptions, NameCommandOptions {
  readonly selfTest?: boolean;
}

export function addDoctor({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "doctor [link]",
    summary: "can this machine find and reach peers? says what stands in the way",
    examples: [
      "doctor                     # this machine and its network",
      "doctor dat://…             # who has this archive, and who answers?",
      "doctor dat://… --peer 192.0.2.7:3282",
      "doctor --self-test         # does this program work on this machine?",
    ],
    about: [
      "--self-test asks nothing of the network: it tries this program on this machine, with known " +
      "results of its hashes, cipher and signatures, an archive in a temporary folder, and a " +
      "transfer over loopback. It exits with 0 if all of it works, and with 1 if not.",
    ],
  });
  addPeerOptions(addNameOptions(command), world, "stop waiting for answers")
    .option("--self-test", "see whether this program works on this machine, without a network")
    .action((link: string | undefined, options: DoctorCommandOptions) =>
      perform(
        options,
        (context) => options.selfTest ? selfTest(link, context) : doctor(link, options, context),
      )
    );
}

async function selfTest(
  link: string | undefined,
  { world, output }: CommandContext,
): Promise<void> {
  if (link !== undefined) {
    throw new UsageError("Cannot look for an archive in a self-test", {
      hint: "leave --self-test out, or the link",
    });
  }
  using stop = abortOnStop(world, "Stopped before everything was tried");
  const { signal } = stop;
  const works = await runSelfTest({ world, signal, onCheck: (check) => show(check, output) });
  if (works) return;
  throw new TroveError("Cannot work as it should on this machine", {
    hint: "see what is called a problem above",
  });
}

async function doctor(
  link: string | undefined,
  options: DoctorCommandOptions,
  { world, output }: CommandContext,
): Promise<void> {
  const { host, port, exact } = listenOn(options);
  using stop = abortOnStop(world, "Stopped before everything was looked into");
  const network = networkOf(options, world);
  const emit = (event: TroveEvent) => output.emit(event);
  const naming = { world, network, emit, names: namesOf(options, world) };
  const publicKey = link === undefined
    ? undefined
    : (await resolveLinkOrName(link, naming, stop.signal)).key;
  const works = await runDoctor({
    world,
    network,
    proxy: options.proxy,
    discovery: discoveryOf(options, world),
    host,
    port: port!,
    exact,
    peers: options.peer ?? [],
    publicKey,
    timeoutMs: options.timeout ?? TIMEOUT_MS,
    signal: stop.signal,
    onCheck: (check) => show(check, output),
  });
  if (works) return;
  throw new NoPeersError(failure(publicKey !== undefined, options), {
    hint: "see what is called a problem above",
  });
}

function failure(hasLink: boolean, { peer }: DoctorCommandOptions): string {
  if (hasLink) return "Cannot find and reach a peer that has this archive";
  return peer === undefined
    ? "Cannot find peers from this machine"
    : "Cannot reach any of the peers that were named";
}

function show(check: Check, output: CommandOutput): void {
  if (output.json) return void output.record("check", check);
  const { state, message, hint } = check;
  output.result(`${output.paint(STYLES[state], state.padEnd(8))} ${message}`);
  if (hint !== undefined && state !== "ok") output.result(`${" ".repeat(9)}${hint}`);
}
