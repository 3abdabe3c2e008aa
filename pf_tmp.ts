import { PARSER_TARGETS } from "./tests/sim/parser_targets.ts";
import { fuzzParser } from "./tests/sim/parser_fuzz.ts";
Error.stackTraceLimit = 0;
const N = Number(Deno.args[0]);
for (const [name, make] of Object.entries(PARSER_TARGETS)) {
  if (Deno.args[1] && !Deno.args[1].split(",").includes(name)) continue;
  const t = make();
  const s = performance.now();
  let bad = 0;
  for (let i = 0; i < N; i++) {
    if (name === "patterns" && i % 50 === 0) Deno.writeTextFileSync("/tmp/pat.txt", String(i));
    try {
      const p = fuzzParser(t, i);
      if (p) await p;
    } catch (e) {
      if (bad++ < 4) console.log((e as Error).message.slice(0, 300));
    }
  }
  console.log(name, N, "bad", bad, ((performance.now() - s) * 1000 / N).toFixed(2), "us/case");
}
