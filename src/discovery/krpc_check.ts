/**
 * Which packets of the BitTorrent DHT are let in. `k-rpc` takes for granted that fields are of the
 * type that they should be, and loses a query for good where one is not. Source: BEP 5, "KRPC
 * Protocol".
 */
import { type Bencode, readBencode } from "./bencode_check.ts";

const ID_BYTES = 20;

/** Transaction ids are two bytes nearly everywhere; ours to send back, so not long. */
const MAX_TRANSACTION_BYTES = 16;

const MAX_TOKEN_BYTES = 128;

/** What a question must bring, besides its sender's id. */
const QUESTIONS: Readonly<Record<string, (body: Fields) => boolean>> = {
  ping: () => true,
  find_node: (body) => isId(body.get("target")),
  get_peers: (body) => isId(body.get("info_hash")),
  announce_peer: (body) =>
    isId(body.get("info_hash")) && isBytes(body.get("token")) &&
    [body.get("port"), body.get("implied_port")].every(isNumberOrNone),
};

type Fields = ReadonlyMap<string, Bencode>;

/** What kind of message the bytes are; undefined if they are none that is of use. */
export function kindOfKrpc(bytes: Uint8Array): "question" | "answer" | undefined {
  const message = readBencode(bytes);
  if (!isFields(message)) return undefined;
  const transaction = message.get("t");
  if (!isBytes(transaction, MAX_TRANSACTION_BYTES) || transaction.length === 0) return undefined;
  switch (textOf(message.get("y"))) {
    case "q":
      return isQuestion(message) ? "question" : undefined;
    case "r":
      return isAnswer(message.get("r")) ? "answer" : undefined;
    case "e": // what it answers besides would be read as well
      return isError(message.get("e")) && !message.has("r") ? "answer" : undefined;
    default:
      return undefined;
  }
}

function isQuestion(message: Fields): boolean {
  const body = message.get("a");
  if (!isFields(body) || !isId(body.get("id"))) return false;
  const name = textOf(message.get("q"));
  return Object.hasOwn(QUESTIONS, name) && QUESTIONS[name](body);
}

function isAnswer(body: Bencode | undefined): boolean {
  if (!isFields(body) || !isId(body.get("id"))) return false;
  const [nodes, values, token] = ["nodes", "values", "token"].map((name) => body.get(name));
  return (nodes === undefined || isBytes(nodes)) &&
    (token === undefined || isBytes(token, MAX_TOKEN_BYTES)) &&
    (values === undefined ||
      (Array.isArray(values) && values.every((value) => isBytes(value))));
}

function isError(body: Bencode | undefined): boolean {
  return Array.isArray(body) && body.every((part) => typeof part === "number" || isBytes(part));
}

function isFields(value: Bencode | undefined): value is Fields {
  // A name that means something to objects of the language is for no honest use.
  return value instanceof Map && !value.has("__proto__");
}

function isBytes(value: Bencode | undefined, most = Infinity): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= most;
}

function isId(value: Bencode | undefined): boolean {
  return isBytes(value) && value.length === ID_BYTES;
}

function isNumberOrNone(value: Bencode | undefined): boolean {
  return value === undefined || typeof value === "number";
}

function textOf(value: Bencode | undefined): string {
  return isBytes(value) ? String.fromCharCode(...value) : "";
}
