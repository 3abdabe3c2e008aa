/**
 * All tests, in two processes at once: those in tests/e2e, which mostly wait for other programs, and
 * the rest. With arguments these are passed to `deno test` as they are, and nothing else is run.
 *
 *     deno task test [FILE or FLAG]...
 */
const COMMAND = ["test", "--no-prompt", "-A"];
/** What each process is asked for. */
const PARTS: readonly (readonly string[])[] = [["--ignore=tests/e2e", "tests/"], ["tests/e2e/"]];

interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Not run, because the machine cannot have what they need. */
  readonly ignored: number;
}

/** Run one of the parts. Gives what it printed, which can be seen as it comes if it is `live`. */
async function runPart(
  args: readonly string[],
  { live }: { live: boolean },
): Promise<{ text: string; code: number }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...COMMAND, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  let text = "";
  const follow = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (live) await Deno.stdout.write(new TextEncoder().encode(piece));
    }
  };
  const [{ code }] = await Promise.all([
    child.status,
    follow(child.stdout),
    follow(child.stderr),
  ]);
  return { text, code };
}

/** The counts of a run's own summary, such as "ok | 12 passed (3 steps) | 0 failed (2s)". */
function countsOf(text: string): Counts | undefined {
  // deno-lint-ignore no-control-regex -- the colours of the summary
  const plain = text.replace(/\u001b\[[0-9;]*m/g, "");
  const [summary] = plain.matchAll(/^(?:ok|FAILED) \| \d+ passed.*$/gm).toArray().slice(-1);
  if (summary === undefined) return undefined;
  const count = (what: string) => Number(new RegExp(` (\\d+) ${what}`).exec(summary[0])?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
}

async function runAll(): Promise<number> {
  const startedAt = performance.now();
  const runs = PARTS.map((args, n) => runPart(args, { live: n === 0 }));
  const ended: { code: number; counts: Counts | undefined }[] = [];
  for (const [n, run] of runs.entries()) {
    const { text, code } = await run;
    // In one piece, behind what was seen already.
    if (n > 0) console.log(`\n== deno ${[...COMMAND, ...PARTS[n]].join(" ")}\n${text}`);
    ended.push({ code, counts: countsOf(text) });
  }
  const sum = (what: keyof Counts) =>
    ended.reduce((sum, { counts }) => sum + (counts?.[what] ?? 0), 0);
  const isGood = ended.every(({ code, counts }) => code === 0 && counts !== undefined);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const took = `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  const word = isGood ? "ok" : "FAILED";
  const ignored = sum("ignored") > 0 ? ` | ${sum("ignored")} ignored` : "";
  console.log(`${word} | ${sum("passed")} passed | ${sum("failed")} failed${ignored} (${took})`);
  return isGood ? 0 : 1;
}

if (Deno.args.length > 0) {
  const command = new Deno.Command(Deno.execPath(), { args: [...COMMAND, ...Deno.args] });
  Deno.exit((await command.spawn().status).code);
}
Deno.exit(await runAll());
