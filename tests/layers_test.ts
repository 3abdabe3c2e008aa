/** The import direction between the layers, and that nothing is fetched from elsewhere. */
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What each folder may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/base": [],
  "src/crypto": ["src/base"],
  "src/core/feed": ["src/base", "src/crypto"],
  "src/core/sleep": ["src/base", "src/crypto", "src/core/feed"],
  "src/core/wire": ["src/base", "src/crypto", "src/core/feed"],
  "src/core/archive": ["src/base", "src/crypto", "src/core/feed"],
  "src/core/sync": ["src/base", "src/crypto", "src/core/*"],
  "src/csp": ["src/base"],
  "src/io": ["src/base", "src/crypto", "src/core/*", "src/csp"],
  "src/discovery": ["src/base", "src/crypto", "src/core/*", "src/csp", "src/io"],
  "src/app": ["src/base", "src/crypto", "src/core/*", "src/csp", "src/io", "src/discovery"],
  "src/mod.ts": ["src/base", "src/crypto", "src/core/*", "src/app", "src/io", "src/discovery"],
  "src/cli": ["src/base", "src/crypto", "src/app", "src/mod.ts"],
  "main.ts": ["src/cli", "src/io", "deno.json"],
};

/** Where the platform may be touched: everything else is given a World. */
const TOUCHES_PLATFORM = ["src/io", "src/discovery", "src/app", "main.ts"];
const PLATFORM = /\b(Deno\.|Date\.now\(|performance\.now\(|crypto\.getRandomValues|console\.)/;
const TIMERS = /\b(setTimeout|setInterval)\(/;

interface SourceFile {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function* walk(dir: string): Generator<string> {
  for (const entry of [...Deno.readDirSync(dir)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(dir, entry.name);
    if (entry.isDirectory) {
      if (![".git", ".cache", "node_modules", "vectors", "dist"].includes(entry.name)) {
        yield* walk(path);
      }
    } else if (entry.name.endsWith(".ts")) {
      yield path;
    }
  }
}

function read(path: string): SourceFile {
  const text = Deno.readTextFileSync(path);
  const imports = [
    ...text.matchAll(
      /^\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm,
    ),
  ]
    .map((match) => match[1] ?? match[2] ?? match[3]);
  return { path: relative(ROOT, path).replaceAll("\\", "/"), text, imports };
}

function layerOf(path: string): string {
  const layer = Object.keys(MAY_IMPORT).find((name) =>
    path === name || path.startsWith(`${name}/`)
  );
  assert.ok(layer !== undefined, `${path} lies in a folder with a row in this test`);
  return layer;
}

const sources = [...walk(join(ROOT, "src")), join(ROOT, "main.ts")].map(read);

Deno.test("every import goes down the layers", () => {
  assert.ok(sources.length > 50);
  const wrong: string[] = [];
  for (const { path, imports } of sources) {
    const layer = layerOf(path);
    for (const name of imports) {
      if (!name.startsWith(".")) continue;
      const target = relative(ROOT, join(ROOT, dirname(path), name)).replaceAll("\\", "/");
      const allowed = [layer, ...MAY_IMPORT[layer]].some((row) =>
        target === row || target.startsWith(`${row.replace("*", "")}`.replace(/\/?$/, "/"))
      );
      if (!allowed) wrong.push(`${path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("only io, app and main.ts touch the platform, and only io and csp have timers", () => {
  const wrong: string[] = [];
  for (const { path, text } of sources) {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    const layer = layerOf(path);
    if (PLATFORM.test(code) && !TOUCHES_PLATFORM.includes(layer)) wrong.push(`${path}: platform`);
    if (TIMERS.test(code) && layer !== "src/io" && layer !== "src/csp") {
      wrong.push(`${path}: timer`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("app asks the World for time and randomness", () => {
  const wrong = sources
    .filter(({ path, text }) =>
      layerOf(path) === "src/app" && /Date\.now\(|performance\.now\(|getRandomValues/.test(text)
    )
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

Deno.test("every module comes from this repository, from npm, or from the platform", () => {
  const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const mapped = Object.keys(config.imports);
  for (const target of Object.values<string>(config.imports)) {
    assert.ok(/^npm:\/?[@a-z]/.test(target), `${target} comes from npm`);
    assert.ok(/@\d+\.\d+\.\d+(\/|$)/.test(target), `${target} is pinned`);
  }
  const wrong: string[] = [];
  for (const dir of ["src", "tests", "bench", "tools"]) {
    for (const path of walk(join(ROOT, dir))) {
      for (const name of read(path).imports) {
        const known = name.startsWith(".") || name.startsWith("node:") ||
          mapped.some((key) => name === key || (key.endsWith("/") && name.startsWith(key)));
        if (!known) wrong.push(`${relative(ROOT, path)} imports ${name}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});
