/** Every number that bounds or paces the synchronizer, with its reason. Times in milliseconds. */

/** Blocks asked of one peer and not answered yet. 64 of 64 KiB keep 4 MiB on the way. */
export const MAX_REQUESTS = 64;

/** Requests go out when so many are free at once: a write each would cost more than the answer. */
export const REQUEST_BATCH = 16;

/** Blocks per Want. Source: hypercore 6.26 and 7.7 send nothing else, and count answers by it. */
export const WANT_BLOCKS = 1024 * 1024;

/** Start and length of a Want must be multiples of this; others are ignored. Source: hypercore. */
export const WANT_ALIGNMENT = 8192;

/** Wants not answered yet on one feed of one link. Source: hypercore. */
export const MAX_WANTS = 16;

/** The same Want is answered once in this time: an answer costs a scan. */
export const WANT_REPEAT_MS = 1000;

/** Want regions whose last answer is remembered on one feed of one link. */
export const MAX_WANT_MEMORY = 1024;

/** Requests of a peer that wait for their turn; hypercore asks for 16 at once. */
export const MAX_QUEUED_REQUESTS = 256;

/** Bytes handed to a link and not yet taken by the system, above which no block is loaded. */
export const MAX_QUEUED_BYTES = 1024 * 1024;

/** What a message without a block value counts for in a link's outbox, in bytes. */
export const SMALL_MESSAGE_BYTES = 64;

/** Outbox bytes at which a peer that never reads is given up, whatever they consist of. */
export const MAX_OUTBOX_BYTES = 4 * 1024 * 1024;

/** Partly filled pages (1 KiB each) kept of what a peer says it has: 16 million blocks. */
export const MAX_REMOTE_PAGES = 2 * 1024;

/** Blocks of a feed that a peer's claims are kept for: 256 TiB in the usual blocks. */
export const MAX_TRACKED_BLOCKS = 2 ** 32;

/** Bytes of a coded bitfield. The answer to a Want needs at most 128 KiB and a little. */
export const MAX_BITFIELD_BYTES = 1024 * 1024;

/** Whoever claims blocks beyond the signed length must prove one within this time of being asked. */
export const CLAIM_MS = 30_000;

/** Proofs that a peer may announce and then not have, before it is not compared with any more. */
export const MAX_PROBE_REFUSALS = 4;

/** Feeds a peer may name that we do not have. */
export const MAX_UNKNOWN_CHANNELS = 16;

/** Messages kept of a feed that we may get to know yet. Source: hypercore-protocol 6.12. */
export const MAX_EARLY_MESSAGES = 17;

/** Bytes that those of one peer may hold. */
export const MAX_EARLY_BYTES = 256 * 1024;

/** Links that others opened: all, and those among them without a Handshake yet. */
export const MAX_ACCEPTED = 128;
export const MAX_HALF_OPEN = 32;

/** When there is no room for another, whoever said nothing but keepalives for so long makes it. */
export const IDLE_MS = 60_000;

/** Breaches that are not fatal in themselves. Late answers after a retry are innocent. */
export const MAX_STRIKES = 16;

/** From the connection to the remote's Handshake. Source: discovery-swarm. */
export const HANDSHAKE_MS = 5000;

/**
 * Send something when we were silent this long. Peers give up after 6.25 s, and ticks come every
 * second, so the longest silence is 4.5 s.
 */
export const KEEPALIVE_MS = 3500;

/** A silent peer is given up. Longer than the reference's 7.5 s: keepalives may be off there. */
export const SILENCE_MS = 20_000;

/** The oldest request of a peer must be answered in this time. The reference allows 7.5 s. */
export const REQUEST_MS = 20_000;

/** So much of an unfinished frame makes it a block that is on its way: smaller ones come at once. */
export const MIN_ANSWER_BYTES = 4096;

/** A peer that has nothing else to do takes over what another did not answer for so long. */
export const RESCUE_MS = 5000;

/** The system must take something of what we sent in this time. */
export const WRITE_MS = 30_000;

/** A frame must be complete this long after its first byte, or arrive faster than the next line. */
export const FRAME_MS = 60_000;
export const FRAME_BYTES_PER_MS = 1.024; // 1 KiB/s

/** Ticks come so often. */
export const TICK_MS = 1000;

/** A gap between ticks that means the machine slept or was busy: it counts as one tick. */
export const SLEEP_GAP_MS = 3000;

/** Waits before an address is dialled again. Source: discovery-swarm, then it forgets it. */
export const RETRY_MS: readonly number[] = [1000, 1000, 5000, 15_000];

/**
 * Who stays for ever asks again at an address that is done, or that broke the protocol: another
 * program may be there by now, or this one has put right what was wrong.
 */
export const BAN_MS = 15_000;

/** Addresses waiting to be dialled, and dialled at once. */
export const MAX_ADDRESSES = 1000;
export const MAX_DIALS = 16;

/** How long a link that is ending gracefully may take to send what it has before it is cut. */
export const CLOSING_MS = 2000;
