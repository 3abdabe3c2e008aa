/**
 * That in a local network a link is enough: between troves and with the dat commands of both
 * generations, which are found in the way each of them has. There is no name server and no way out.
 *
 * - Seen alone on two cores: 1 s from the start of a clone to its end with trove or dat 13, 2 s with
 *   dat 14. The bounds here are for machines that have much else to do.
 * - dat 13 has uTP here as it had in its day.
 * - dat 14 announces once unasked when it starts, and dat 13 dials whoever answers in either dialect:
 *   so a dat 13 that runs finds a dat 14 that starts later, and not the other way round.
 */
import assert from "node:assert/strict";
import { LabPeers, report } from "../support/lab_peers.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import { tempFolder } from "../support/temp.ts";

const BOUND_SECONDS = 20;

Deno.test({
  name: "in a local network a link is enough, with trove, dat 13 and dat 14 on either side",
  ignore: !netLabAvailable({ filters: true }),
  async fn() {
    using temp = tempFolder();
    const peers = new LabPeers(temp);
    const names = ["ours", "thirteen", "fourteen", "late", "a", "b", "c", "d", "e"];
    await using lab = await NetLab.open({ lan: { hosts: names } });
    const [ours, thirteen, fourteen, late, a, b, c, d, e] = names.map((name) => lab.host(name));
    await using shared = await peers.share("trove", ours);
    const seconds: Record<string, number> = {};
    seconds["trove clones from trove"] = await peers.clone("trove", a, shared);

    const early = async () => {
      const [folder, home] = [peers.folder(), peers.home()];
      const link = await peers.create(late, folder, home);
      const args = ["clone", link, peers.place(), "--json"];
      await using waiting = await peers.trove(e, args);
      await waiting.event("discovery", { matches: ({ message }) => /^asked/.test(message) });
      const startedAt = performance.now();
      await using _shared = await peers.share("trove", late, { folder, home });
      await waiting.ended();
      seconds["trove clones from a trove that starts later"] = (performance.now() - startedAt) /
        1000;
    };
    const fromDat = async (kind: "13" | "14", at: typeof thirteen, reader: typeof a) => {
      await using shared = await peers.share(kind, at);
      seconds[`trove clones from dat ${kind}`] = await peers.clone("trove", reader, shared);
    };
    const byDat = async (kind: "13" | "14", reader: typeof a) => {
      seconds[`dat ${kind} clones from trove`] = await peers.clone(kind, reader, shared);
    };
    await Promise.all([
      fromDat("13", thirteen, a),
      fromDat("14", fourteen, b),
      byDat("13", c),
      byDat("14", d),
      early(),
    ]);
    report(seconds);
    for (const [what, time] of Object.entries(seconds)) {
      assert.ok(time < BOUND_SECONDS, `${what}: ${time} s`);
    }
    shared.process.signal("SIGINT");
    await shared.process.ended();
    assert.deepEqual(await lab.strays(), []);
  },
});
