/** Bytes that no honest peer sends end a session in good order, or are taken. */
import assert from "node:assert/strict";
import { SessionFuzzer } from "./session_fuzz.ts";

const SEQUENCES = 3000;

Deno.test("a session takes any bytes or refuses them, and asks for little memory", () => {
  const fuzzer = new SessionFuzzer();
  let [refused, messages] = [0, 0];
  for (let n = 0; n < SEQUENCES; n++) {
    const result = fuzzer.run(n);
    if (result.refused) refused++;
    messages += result.messages;
  }
  // Else the sequences would say nothing: some must get far, and some must be wrong.
  assert.ok(refused > SEQUENCES / 4 && refused < SEQUENCES, `${refused} refused`);
  assert.ok(messages > SEQUENCES, `${messages} messages`);
});
