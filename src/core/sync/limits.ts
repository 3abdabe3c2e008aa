/** Every number that bounds or paces the synchronizer, with its reason. Times in milliseconds. */

/** Blocks asked of one peer and not answered yet. 128 of 64 KiB keep 8 MiB on the way. */
export const MAX_REQUESTS = 128;

/** Even the slowest peer is asked for one while another is on its way. */
export const MIN_REQUESTS = 2;

/**
 * Requests go out when so many are free at once, or a quarter of a smaller window: a write each
 * would cost more than the answer.
 */
export const REQUEST_BATCH = 16;

/** What a request costs beside the bytes of its block, in bytes: 0.1 ms at 10 MB/s. */
export const REQUEST_COST = 1024;

/** Bytes of a block before the first one came: content is cut in 64 KiB, entries are small. */
export const CONTENT_BLOCK_BYTES = 64 * 1024;
export const ENTRY_BLOCK_BYTES = 4 * 1024;

/** What a peer is asked for before its first answer: four blocks of 64 KiB, or so many small ones. */
export const START_WINDOW = 4 * (CONTENT_BLOCK_BYTES + REQUEST_COST);
export const START_REQUESTS = 16;

/**
 * A window holds what the peer answers in two round trips and this: what it sends while our own loop
 * is busy with the disk must not run out.
 */
export const WINDOW_FLOOR_MS = 250;

/** ... but no larger part than this of what the link has brought: a young one may break, and lose it. */
export const SPARE_SHARE = 1 / 4;

/** A pause between answers is reckoned with for so long: a window must last over the next one. */
export const GAP_MEMORY_MS = 10_000;

/** What waits at a peer beyond one round trip: others give a request up after 6 s. */
export const MAX_QUEUE_MS = 2000;

/**
 * A peer to which the last link was lost within this time is asked for a part of what that brought at
 * once, for what is on its way is lost with the next one as well: a smaller part for each link in a row
 * that was lost so soon, up to so many. What of a block had come is lost in any case.
 */
export const EARLY_BREAK_MS = 60_000;
export const BREAK_SHARE = 1 / 32;
export const MAX_EARLY_BREAKS = 4;

/** A peer that has not told by then what entries it has is asked for content all the same. */
export const ENTRIES_MS = 3000;

/** Where others fetch as well, a peer that tells of its last block is asked when all is told, or then. */
export const ANSWER_MS = 1000;

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
/** The same for a slow link: about what leaves it in this time, or else one block and a part of one. */
export const OUTBOX_MS = 100;
export const MIN_QUEUED_BYTES = 1024;

/** What a message without a block value counts for in a link's outbox, in bytes. */
export const SMALL_MESSAGE_BYTES = 64;

/** Runs of lost blocks that a peer is told of at once: more would fill its outbox. */
export const MAX_UNHAVES = 1024;

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

/**
 * Until it answered anything at all, such a claim keeps nobody waiting for longer than this. Whoever
 * has answered something may be slow, and is waited for.
 */
export const DOUBT_MS = 5000;

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

/**
 * For so long whoever came may be half open beyond that, while there is room for all: its first words
 * may be here, behind those of a crowd from the same place. Who says nothing has no longer.
 */
export const FIRST_WORD_MS = 1000;

/**
 * Links that one host opens for one archive; this machine itself is exempt. Source: spec of limits,
 * section 7, which thinks of peers with one archive.
 */
export const MAX_PER_HOST = 8;

/**
 * The same for all archives together: who mirrors many of ours has a link for each, and opens 16 at
 * once. Those that name none push out each other: see `MAX_HALF_OPEN`.
 */
export const MAX_FROM_HOST = 64;

/** All links together. Each may keep MAX_REMOTE_PAGES, an outbox and a socket. */
export const MAX_PEERS = 192;

/** When there is no room for another, whoever said nothing but keepalives for so long makes it. */
export const IDLE_MS = 60_000;

/** The same for a peer that never moved a block: shaking hands costs nothing. */
export const UNPROVEN_IDLE_MS = 10_000;

/** While all room is taken, one link in this time makes room for an address that was not tried. */
export const SWAP_MS = 30_000;

/** A link that brings less than this part of the best one is worth such a try. */
export const SLOW_SHARE = 0.25;

/** A link takes the place of another to the same id so often. Source: spec of limits, section 8. */
export const REPLACE_MS = 10_000;

/** A link that heard nothing for so long gives way to a second one: keepalives come every 5 s. */
export const SILENT_MS = 6000;

/** Bytes of an id that is kept in mind; the usual one has 32. Source: spec of limits, section 3. */
export const MAX_ID_BYTES = 64;

/** Breaches that are not fatal in themselves. Late answers after a retry are innocent. */
export const MAX_STRIKES = 16;

/**
 * Real peers send the bytes that a working file has now: when it was changed, other ones than were signed,
 * until they take note. So who sent a wrong block of content is asked for no more of it for this time.
 */
export const WRONG_PAUSE_MS = 1000;
/** After so many pauses the next wrong block ends the link, unless the last one is forgotten by then. */
export const MAX_WRONG_PAUSES = 3;
/** Longer than an answer may take: who sends nothing but wrong blocks cannot outwait it. */
export const WRONG_MEMORY_MS = 30_000;

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

/** What another peer has is asked of it when an answer takes so many times as long as it should. */
export const PATIENCE = 3;

/** But not sooner than this: a busy disk at the other end is no stall. */
export const STALL_MS = 1000;

/** The same for a peer that has not answered anything yet, of which nothing is known. */
export const RESCUE_MS = 3000;
/** And not before so much might have come: a large block over a slow line takes its time. */
export const RESCUE_BYTES_PER_MS = 20;

/** And its oldest one, where enough came twice already: the others are moved before. */
export const LAST_PATIENCE_MS = 10_000;

/**
 * A cancelled request counts as owed so long, for most peers answer it all the same; where it was seen
 * that they do, as long as any request.
 */
export const CANCEL_MS = 3000;

/** Cancelled blocks of which a late answer is no breach, on one feed of one link. */
export const MAX_CANCELLED = 256;

/** At the end of a feed an idle peer races another when it will be so much sooner, and twice. */
export const RACE_GAIN_MS = 500;

/** The same where the answer is late already, by the pace of the peer that owes it. */
export const LATE_RACE_GAIN_MS = 100;

/**
 * A block that waits at one peer is asked of another instead that brings it so much sooner. A Cancel
 * must be there before the block leaves: after half a round trip, or about so long in any case.
 */
export const MOVE_GAIN_MS = 300;
export const MOVE_LEAST_MS = 300;
export const MOVE_MOST_MS = 1000;
/** An idle peer looks for such blocks so often, if there was none the last time. */
export const MOVE_PAUSE_MS = 100;

/** What a peer would answer so much later only is given back to others. */
export const EXCESS_MS = 6000;

/** Blocks that one peer races for at once, and all of a feed. */
export const MAX_RACES = 4;
export const MAX_FEED_RACES = 16;

/** Races are run while blocks that came twice are fewer than this and one in a hundred. */
export const MAX_WASTE = 4;
export const MAX_WASTE_SHARE = 0.01;
/** And fewer than this part of all blocks, races under way included, however few there are. */
export const MAX_SMALL_WASTE_SHARE = 0.04;
/** Blocks are moved with a Cancel until so many of all came twice: some are on their way already. */
export const MAX_MOVE_WASTE_SHARE = 0.02;
/** How many come all the same, of those of which it is not known yet. */
export const MOVE_RISK = 1 / 8;

/** An idle peer looks for something to race for so often: it looks at all that is on its way. */
export const RACE_PAUSE_MS = 100;

/** Blocks given back by peers that are tried first; beyond, the search begins anew. */
export const MAX_RETURNED = 1024;

/** Runs of news of one link that are looked at first; beyond, the search goes back. */
export const MAX_NEWS_RUNS = 256;

/** The order by rarity is made anew so often, for so many blocks, over so many regions at most. */
export const RARITY_MS = 1000;
export const RARITY_BLOCKS = 8192;
export const RARITY_REGIONS = 8;

/** Equally rare blocks are asked for in runs of this length, which a disk reads at once. */
export const RARITY_RUN = 16;
/** Or in shorter ones, of which there are so many: peers that start together ask for others each. */
export const RARITY_RUNS = 64;

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
 * An address that was given up is dialled again when it is named again, but not before this time; it
 * doubles each time it is given up. A DHT names the dead for half an hour.
 */
export const REST_MS = 30_000;
export const MAX_REST_MS = 600_000;

/** One that was of use is tried so often before it rests: whoever restarts is back in five minutes. */
export const PROVEN_TRIES = 20;

/** Waits are longer by up to this part of them, so that many peers do not come at one moment. */
export const RETRY_JITTER = 0.25;

/**
 * Who stays for ever asks again at an address where the protocol was broken: another program may be
 * there by now, or this one has put right what was wrong. The wait doubles each time.
 * Source: spec of limits.
 */
export const BAN_MS = 60_000;
export const MAX_BAN_MS = 3_600_000;

/** Addresses waiting to be dialled, and dialled at once. */
export const MAX_ADDRESSES = 1000;
export const MAX_DIALS = 16;

/** How long a link that is ending gracefully may take to send what it has before it is cut. */
export const CLOSING_MS = 2000;
