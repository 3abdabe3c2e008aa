/** The ways of finding peers by name, for whoever only says which. */
export { SOURCE_NAMES, type SourceName } from "../discovery/source.ts";
