import type { Command } from "commander";
export interface HttpOptions {
  readonly http?: number;
}
export function addHttpOption(command: Command): Command {
  return command;
}
export function serveBeside(..._: unknown[]): Promise<AsyncDisposable | undefined> {
  return Promise.resolve(undefined);
}
