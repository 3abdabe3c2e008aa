/** What reading an archive may throw when its owner signed something that is not one. */
import { TroveError } from "../../base/errors.ts";

/**
 * Metadata that is proven to be the owner's and still makes no sense: a record that does not parse,
 * a child list that points forward, another kind of archive. Asking other peers cannot help.
 */
export class ArchiveError extends TroveError {}
