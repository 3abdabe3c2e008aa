/**
 * Malicious archives: paths that lead out, into `.dat`, to devices, and links in the way of them.
 * Each is cloned, pulled, checked out and repaired with every call to the file system watched.
 *
 * deno task campaign:sandbox [--seed N] [--count ARCHIVES] [--seconds N]
 *
 * The other half, the narrowest permissions for each command, is the end-to-end tests themselves:
 *
 *     TROVE_TEST_SANDBOX=1 deno task test tests/e2e/
 */
import { tryMalicious } from "../../tests/sim/malicious.ts";
import { tempFolder } from "../../tests/support/temp.ts";
import { campaignOptions, Tally } from "./campaign.ts";

const options = campaignOptions(["malicious"], 300);
console.log(`sandbox: ${options.count} malicious archives from seed ${options.seed}`);
const tally = new Tally("sandbox", options);
for (let seed = options.seed; tally.goesOn; seed++) {
  using temp = tempFolder();
  try {
    await tryMalicious(temp, seed);
  } catch (error) {
    tally.fail(error);
  }
  tally.add(1);
}
tally.end();
