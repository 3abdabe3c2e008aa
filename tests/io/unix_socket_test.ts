/** Sockets that are names in the file system. */
import assert from "node:assert/strict";
import { TroveError, UsageError } from "../../src/base/errors.ts";
import type { Connection } from "../../src/io/connection.ts";
import { dialPeer, listenForPeers } from "../../src/io/net.ts";
import { tempFolder } from "../support/temp.ts";

const listen = (path: string) => listenForPeers({ host: `unix:${path}`, exact: false });
const dial = (path: string) =>
  dialPeer({ kind: "unix", path }, { signal: new AbortController().signal });

Deno.test("a peer comes over a Unix socket, whose name is gone afterwards", async () => {
  using temp = tempFolder();
  const path = temp.join("a socket");
  const listener = await listen(path);
  assert.deepEqual(listener.addrs, [{ transport: "unix", hostname: `unix:${path}`, port: 0 }]);
  const { promise, resolve } = Promise.withResolvers<Connection>();
  const serving = listener.serve(resolve);
  using conn = await dial(path);
  using accepted = await promise;
  assert.deepEqual([conn.remote, accepted.remote], [`unix:${path}`, `unix:${path}`]);
  await conn.write(Uint8Array.of(7));
  await conn.closeWrite();
  const piece = new Uint8Array(10);
  assert.deepEqual([await accepted.read(piece), piece[0]], [1, 7]);
  assert.equal(await accepted.read(piece), null);
  listener.close();
  await serving;
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
  await assert.rejects(dial(path), TroveError);
});

Deno.test("a socket that a killed process left behind is replaced", async () => {
  using temp = tempFolder();
  const path = temp.join("stale");
  const code = `Deno.listen({ transport: "unix", path: Deno.args[0] }); Deno.kill(Deno.pid, 9);`;
  const program = temp.join("killed.ts");
  Deno.writeTextFileSync(program, code);
  const args = ["run", "-A", "--no-config", "--quiet", program, path];
  await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(Deno.lstatSync(path).isSocket);
  {
    using listener = await listen(path);
    const serving = listener.serve((connection) => connection.close());
    (await dial(path)).close();
    listener.close();
    await serving;
  }
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
});

Deno.test("a socket in use, and whatever is no socket, is left alone", async () => {
  using temp = tempFolder();
  const refuses = (path: string, reason: RegExp) =>
    assert.rejects(listen(path), (error) => {
      return error instanceof UsageError && reason.test(error.message);
    });
  const used = temp.join("used");
  using listener = await listen(used);
  await refuses(used, /another program listens/);
  assert.ok(Deno.lstatSync(used).isSocket);

  const file = temp.join("file");
  Deno.writeTextFileSync(file, "keep this");
  await refuses(file, /something else/);
  assert.equal(Deno.readTextFileSync(file), "keep this");

  const link = temp.join("link");
  Deno.symlinkSync(used, link);
  await refuses(link, /something else/);
  assert.ok(Deno.lstatSync(link).isSymlink);

  await refuses(temp.folder("folder"), /something else/);
  await refuses(temp.join("no", "such", "folder"), /no such folder/);
  await refuses(temp.join("x".repeat(200)), /Cannot listen/);
  listener.close();
});
