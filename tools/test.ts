/**
 * All tests, in three processes at once: those in tests/e2e, which mostly wait for other programs, and
 * the rest, in several parts each. With arguments these are passed to `deno test` as they are, and
 * nothing else is run.
 *
 *     deno task test [FILE or FLAG]...
 */
const COMMAND = ["test", "--no-prompt", "-A"];
const AT_ONCE = 3;
/** Parts of the tests in tests/e2e, and of the others. */
const PARTS = 3;
/** These run what the documents say, to the letter, so they listen on the same port: one at a time. */
const SAME_PORT = ["tests/e2e/docs_test.ts", "tests/e2e/workflows_test.ts"];

interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Not run, because the machine cannot have what they need. */
  readonly ignored: number;
}

/** The files of each part: neighbours go into different ones, as they take about as long. */
function parts(): string[][] {
  const files = testFiles("tests").sort();
  const isSlow = (file: string) => file.startsWith("tests/e2e/");
  const deal = (dealt: readonly string[], first: readonly string[] = []) =>
    Array.from(
      { length: PARTS },
      (_, part) => [...part === 0 ? first : [], ...dealt.filter((_, n) => n % PARTS === part)],
    );
  const slow = deal(files.filter((file) => isSlow(file) && !SAME_PORT.includes(file)), SAME_PORT);
  const rest = deal(files.filter((file) => !isSlow(file)));
  return slow.flatMap((part, n) => [part, rest[n]]);
}

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) {
      return path === "tests/vectors" || path === "tests/peers" ? [] : testFiles(path);
    }
    return name.endsWith("_test.ts") ? [path] : [];
  });
}

/** Run one of the parts. Gives what it printed. */
async function runPart(args: readonly string[]): Promise<{ text: string; code: number }> {
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
  const waiting = parts();
  const ended: { code: number; counts: Counts | undefined }[] = [];
  const work = async () => {
    for (let files = waiting.shift(); files !== undefined; files = waiting.shift()) {
      const { text, code } = await runPart(files);
      console.log(text); // in one piece, when it is over
      ended.push({ code, counts: countsOf(text) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
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
