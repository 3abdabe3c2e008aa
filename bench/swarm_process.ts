/**
 * One side of a swarm in one process: many sharers of the same archive, each with a port of its own,
 * or many clones. One JSON object a line, as the commands print them.
 *
 * deno run -A bench/swarm_process.ts share FOLDER...
 * deno run -A bench/swarm_process.ts clone LINK HOST:PORT FOLDER...
 */
import { clone, share } from "../src/mod.ts";

const [what, ...rest] = Deno.args;

function say(event: string, fields: object = {}): void {
  console.log(JSON.stringify({ event, ...fields }));
}

async function shareAll(folders: readonly string[]): Promise<void> {
  await Promise.all(folders.map((folder) =>
    share(folder, {
      listen: { host: "127.0.0.1", port: 0, exact: true },
      watch: false,
      importFirst: false,
      signals: true,
      onEvent: (event) => {
        if (event.event === "archive") say("archive", { link: event.link });
        if (event.event === "listening") say("listening", { address: `127.0.0.1:${event.port}` });
      },
    })
  ));
}

async function cloneAll([link, peer, ...folders]: readonly string[]): Promise<void> {
  const startedAt = performance.now();
  await Promise.all(folders.map((folder) => clone(link, folder, { peers: [peer] })));
  say("cloned", { seconds: (performance.now() - startedAt) / 1000 });
}

if (what === "share") await shareAll(rest);
else await cloneAll(rest);
