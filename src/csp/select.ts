/**
 * Wait for the first of several receivers that has something.
 *
 * One call registers one waiter per arm. The first arm that is ready claims the call and the other
 * waiters are withdrawn before it resolves, so a losing arm keeps its value and nothing is left
 * behind on a quiet one. (Racing `receive()` promises drops the losers' values, and leaks.)
 */
import type { Received, Receiver } from "./channel.ts";

// deno-lint-ignore no-explicit-any -- an arm may carry anything; Ready below recovers the type
export type Arms = Record<string, Receiver<any>>;

/** Which arm was ready, and what it gave. */
export type Ready<A extends Arms> = {
  [K in keyof A & string]: A[K] extends Receiver<infer T>
    ? { readonly arm: K; readonly received: Received<T> }
    : never;
}[keyof A & string];

/** What is ready now, in the order of the arms, or undefined. */
export function trySelect<A extends Arms>(arms: A): Ready<A> | undefined {
  for (const arm in arms) {
    const received = arms[arm].tryReceive();
    if (received !== undefined) return { arm, received } as unknown as Ready<A>;
  }
  return undefined;
}

/** Wait until an arm is ready. Earlier arms win when several are: the order is the priority. */
export async function select<A extends Arms>(arms: A): Promise<Ready<A>> {
  while (true) {
    const ready = trySelect(arms);
    if (ready !== undefined) return ready;
    await new Promise<void>((resolve) => {
      const withdrawals: (() => void)[] = [];
      let claimed = false;
      const claim = () => {
        if (claimed) return;
        claimed = true;
        for (const withdraw of withdrawals) withdraw();
        resolve();
      };
      for (const arm in arms) {
        withdrawals.push(arms[arm].whenReady(claim));
        if (claimed) break;
      }
      // An arm that was ready at once claimed the call before its siblings were listed.
      if (claimed) { for (const withdraw of withdrawals) withdraw(); }
    });
  }
}
