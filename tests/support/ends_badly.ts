/** A command with a live view that ends in the way that is named, for tests of what it leaves. */
import { LiveView } from "../../src/cli/live_view.ts";
import { realWorld } from "../../src/io/real_world.ts";

const view = new LiveView(realWorld(), { colour: false });
const link = `dat://${"ab".repeat(32)}`;
view.take({ event: "archive", link, discoveryKey: "", dir: "/x", writable: true, version: 1 });

/** Long enough that a frame is drawn, and that it is seen. */
const [DRAW_MS, END_MS] = [200, 500];

setTimeout(() => view.hint("drawn"), DRAW_MS);
setTimeout(() => {
  const [how] = Deno.args;
  if (how === "error") throw new Error("nobody catches this");
  if (how === "rejection") void Promise.reject(new Error("nor this"));
  if (how === "exit") Deno.exit(3);
}, END_MS);
// Until a signal comes, where it is to end by one.
setTimeout(() => {}, 20_000);
