/** A way of finding peers that does what a test says. */
import type {
  DiscoverySource,
  Interest,
  SourceContext,
  SourceName,
  SourceState,
} from "../../src/discovery/source.ts";
import type { Topic } from "../../src/discovery/topic.ts";

export class ScriptedSource implements DiscoverySource {
  readonly asked: string[] = [];
  state: SourceState = { state: "waiting", message: "asked once" };

  constructor(readonly name: SourceName, readonly context: SourceContext) {}

  join({ name }: Topic, { lookup, announce }: Interest): void {
    this.asked.push(`join ${name.slice(0, 2)} ${lookup} ${announce}`);
  }

  askAgain({ name }: Topic): void {
    this.asked.push(`again ${name.slice(0, 2)}`);
  }

  leave({ name }: Topic): void {
    this.asked.push(`leave ${name.slice(0, 2)}`);
  }

  stateOf(): SourceState {
    return this.state;
  }

  close(): Promise<void> {
    this.asked.push("close");
    return Promise.resolve();
  }
}
