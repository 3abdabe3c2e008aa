/**
 * Packets of two real @hyperswarm/discovery 2.0.1 peers (multicast-dns 7.2.5) on a host with loopback
 * only, of which one announces port 3282 and the other asks; both left afterwards without a packet.
 */
import { fromHex } from "../../src/base/bytes.ts";
import { Topic } from "../../src/discovery/topic.ts";

export const TOPIC = new Topic(
  fromHex("e06652c4cd6b6ebd9af5f62a918131a71f17f75b19916777ee2936f277313be3"),
);

/** The 32 bytes by which the one who announced knows its own packets. */
export const ID = fromHex("c2e4ac9b05d376e34bce05afd5b6a50c7b001515e26ca8cb5576377858fdefb6");

const NAME = "2865303636353263346364366236656264396166356636326139313831333161373166313766373562" +
  "0a6879706572737761726d056c6f63616c00";
const SERVICE = `${NAME}0021000100000000` + "000f000000000cd2013001300130013000";
const MARK = `${NAME}0010000100000000` + "00242369643d" +
  "c2e4ac9b05d376e34bce05afd5b6a50c7b001515e26ca8cb5576377858fdefb6";
const REFERRER = "0872656665727265720a6879706572737761726d056c6f63616c00" +
  "00010001000000000004" + "7f000001";

export const QUESTION = fromHex(`000000000001000000000000${NAME}00210001`);
/** What it said unasked. */
export const ANNOUNCEMENT = fromHex(`000084000000000200000000${SERVICE}${MARK}`);
/** What it said to a peer at 127.0.0.1. */
export const ANSWER = fromHex(`000084000000000300000000${SERVICE}${MARK}${REFERRER}`);
