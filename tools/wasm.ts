/**
 * Compile `wasm/`, which is AssemblyScript, to `src/crypto/crypto_module.ts`. The result is kept in
 * the repository, and `tests/crypto/wasm_build_test.ts` checks that it is what the source gives.
 *
 *     deno task wasm
 */
import { main as compile } from "assemblyscript/asc";

export const MODULE = new URL("../src/crypto/crypto_module.ts", import.meta.url);
const SOURCES = new URL("../wasm/", import.meta.url);

/**
 * Memory that never grows, so that views of it stay good: two pages for the module itself, and the
 * rest for `Rooms`, which is not there before somebody uses it. No runtime, for nothing allocates.
 */
const FLAGS = [
  ...["--outFile", "crypto.wasm", "-O3", "--runtime", "stub", "--noAssert", "--use", "abort="],
  ...["--initialMemory", "130", "--maximumMemory", "130", "--enable", "simd"],
];

/**
 * The module as its source gives it.
 *
 * @throws {Error} What the compiler says, where it refuses.
 */
export async function compileModule(): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  const said: string[] = [];
  const stream = { write: (text: string | Uint8Array) => said.push(String(text)) > 0 };
  const { error } = await compile(["crypto.ts", ...FLAGS], {
    stdout: stream,
    stderr: stream,
    readFile: (name) => readSource(name),
    writeFile: (name, contents) => {
      if (name === "crypto.wasm" && typeof contents !== "string") bytes = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined || said.length > 0) {
    throw new Error(`Cannot compile the module: ${said.join("")}`, { cause: error });
  }
  return bytes;
}

/** The compiler asks for files that may not be there, such as those of packages. */
function readSource(name: string): string | null {
  try {
    return Deno.readTextFileSync(new URL(name, SOURCES));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Characters of a line in the file that holds the module. */
const LINE = 92;

/** The source file that holds a module: base64, for a program can hold text and no bytes. */
export function sourceOf(module: Uint8Array): string {
  const text = module.toBase64();
  const lines = Array.from(
    { length: Math.ceil(text.length / LINE) },
    (_, n) => `  "${text.slice(n * LINE, (n + 1) * LINE)}",\n`,
  );
  return `/** What \`wasm/\` compiles to, as base64. Made by \`deno task wasm\`. */\n` +
    `export const CRYPTO_MODULE = [\n${lines.join("")}].join("");\n`;
}

if (import.meta.main) {
  const bytes = await compileModule();
  Deno.writeTextFileSync(MODULE, sourceOf(bytes));
  console.log(`${bytes.length} bytes`);
}
