/** Every number that bounds or paces the serving of many archives, with its reason. */

/**
 * Archives open at once: as many as can have peers, for the core takes 128 links from others. Each
 * has up to 9 files open for its feeds; with the 256 of all working files and the 256 sockets that
 * stays below the 4,096 that systems let a process have at least.
 */
export const MAX_OPEN = 200;

/**
 * Archives that are being fetched or looked for at once, so that the newest of a thousand links does
 * not wait for all others, and one that nobody has takes little from those that somebody has.
 */
export const MAX_FETCHING = 16;

/**
 * Complete archives that stay linked to the peers they are fetched from, and so follow at once what
 * is added. The others are visited in turns.
 */
export const MAX_FOLLOWING = 40;

/** Links that we dial at once, half of them to fetch, half to follow: others need room as well. */
export const MAX_DIALLED = 96;

/** A complete archive that is not open is visited again after so long, in milliseconds. */
export const REVISIT_MS = 10 * 60_000;

/** And all together no more often than one in this time: a visit costs some 15 ms. */
export const VISIT_MS = 2000;

/** One that is not complete makes room for those that wait when nothing came for so long. */
export const STALL_MS = 60_000;

/** An open archive without peers is closed after so long: who lost its link dials within 15 s. */
export const IDLE_MS = 60_000;

/** Addresses kept of an archive that is not open. */
export const MAX_FOUND = 8;

/** Peers that an archive has, where discovery finds them and nobody knows yet. */
export const USUAL_PEERS = 3;

/** What failed with an archive is tried again after so long. */
export const RETRY_MS = 60_000;

/** After two signed histories were met: nothing but a person can put that right. */
export const FORK_RETRY_MS = 60 * 60_000;

/** Lists are looked at so often: what is added to one is served within moments. */
export const LIST_MS = 2000;

/**
 * Everything that a list or an argument names is looked up again so often, whether or not the list
 * changed: a folder may have become an archive. With a thousand names that costs some 20 ms.
 */
export const LOOKUP_MS = 30_000;

/**
 * An archive that another process changes is opened anew so often at most: its peers have to link
 * again each time.
 */
export const REOPEN_MS = 30_000;

/** Whether another process changed it is looked at so often, where it has peers. */
export const LOOK_MS = 5000;

/** Bytes of a list file. A million lines are not a list that one process can serve. */
export const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** Archives looked at before other work gets its turn; each costs about a millisecond. */
export const LOOKS_PER_TURN = 8;

/** Different complaints about one archive that are remembered, so as to tell each once. */
export const MAX_TOLD = 50;

/** Strangers who ask for archives that are not here are told of so often, as a number. */
export const STRANGER_MS = 60_000;
