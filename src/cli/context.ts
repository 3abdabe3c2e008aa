/** What a command is given: the world, where it prints, and the options that all commands share. */
import type { World } from "../base/world.ts";
import type { Proxy } from "../app/addresses.ts";
import type { Bootstrap, SourceName } from "../app/peer_search.ts";
import type { CommandOutput } from "./output.ts";

export interface CommandContext {
  readonly world: World;
  readonly output: CommandOutput;
}

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: "auto" | "always" | "never";
  /** Commander's form of `--no-input`: false when it was given. */
  readonly input?: boolean;
}

/** Options of every command that meets peers. */
export interface PeerOptions extends CommonOptions {
  readonly peer?: readonly string[];
  /** What `--discovery` names; false after `--no-discovery`. */
  readonly discovery?: readonly SourceName[] | false;
  readonly bootstrap?: Bootstrap;
  readonly portMap?: boolean;
  /** Take private addresses from everybody. */
  readonly allowPrivate?: boolean;
  readonly port?: number;
  /** An address, or `unix:PATH`. */
  readonly host?: string;
  /** A port for WebSocket connections. */
  readonly ws?: number;
  readonly proxy?: Proxy;
  /** Bytes a second. */
  readonly up?: number;
  readonly down?: number;
  readonly maxPeers?: number;
  /** The wire is on standard input and output; of commands that can. */
  readonly stdio?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** Options of every command that downloads into a folder. */
export interface DownloadOptions extends PeerOptions {
  readonly dir?: string;
  readonly selectFromFile?: string;
  /** No file but those that are selected. */
  readonly sparse?: boolean;
  /** Commander's form of `--no-upload`: false when it was given. */
  readonly upload?: boolean;
  readonly select?: readonly string[];
  readonly exclude?: readonly string[];
  readonly history?: boolean;
  readonly overwrite?: boolean;
  readonly keepLocal?: boolean;
  readonly keepDeleted?: boolean;
  readonly maxDelete?: number;
  readonly dryRun?: boolean;
  /** Stay, and follow what the origin adds. */
  readonly live?: boolean;
}
