/**
 * What a live view looks like: lines that fit the terminal, whatever its size. Its own words and marks
 * are ASCII, which every terminal has.
 */
import { basename } from "node:path";
import { count, formatBytes, formatRate, formatSeconds, printable } from "../base/format.ts";
import type { LinkFigures } from "../app/link_meters.ts";
import { type Style, STYLES } from "./output.ts";
import { cutEnd, cutMiddle, cutStart, padText, textWidth } from "./text_width.ts";
import type { ViewModel } from "./view_model.ts";

/** Of the terminal, as it is now. */
export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

/** Lines of a frame at most, and links among them. */
const MAX_LINES = 16;
const MAX_LINKS = 8;

/** Lines that all but the links take at most. */
const OTHER_LINES = 9;

const MIN_BAR = 6;
const MAX_BAR = 40;

/** Nobody believes a time that is farther away. */
const MAX_LEFT_SECONDS = 100 * 3600;

/** A line of text that is coloured as a whole, or in parts. */
type Line = readonly { readonly text: string; readonly style?: Style }[];

interface Section {
  /** Those with low numbers stay longest where there is little room. */
  readonly rank: number;
  readonly lines: readonly Line[];
}

/**
 * The lines of a view, from top to bottom: none is as wide as the terminal, and one line of it stays
 * free. Empty if there is nothing to show.
 */
export function frame(model: ViewModel, { columns, rows, colour }: FrameSize): string[] {
  const width = Math.max(1, columns - 1);
  const room = Math.max(0, Math.min(rows - 1, MAX_LINES));
  const maxLinks = Math.min(MAX_LINKS, Math.max(1, room - OTHER_LINES));
  const sections = [
    headOf(model, width),
    linkOf(model, width),
    totalsOf(model, width),
    linksOf(model, width, maxLinks),
    progressOf(model, width),
    importOf(model, width),
    workOf(model, width),
    notesOf(model, width),
    hintOf(model, width),
  ];
  const taken = new Map<Section, number>();
  let left = room;
  for (const section of sections.toSorted((a, b) => a.rank - b.rank)) {
    const lines = Math.min(left, section.lines.length);
    taken.set(section, lines);
    left -= lines;
  }
  return sections.flatMap((section) => section.lines.slice(0, taken.get(section)))
    .map((line) => paint(line, width, colour));
}

function paint(line: Line, width: number, colour: boolean): string {
  let left = width;
  return line.map((part) => {
    const text = cutEnd(part.text, left);
    left -= textWidth(text);
    const { style } = part;
    return !colour || style === undefined ? text : `\u001b[${STYLES[style]}m${text}\u001b[0m`;
  }).join("");
}

/** What is being done, to what. */
function headOf(model: ViewModel, width: number): Section {
  const text = headText(model);
  if (text === undefined) return { rank: 1, lines: [] };
  return { rank: 1, lines: [[{ text: cutEnd(text, width), style: "bold" }]] };
}

function headText(model: ViewModel): string | undefined {
  const { archives, dir = "", version = 0, links, listens, isFeed } = model;
  if (archives === 0) return undefined;
  if (archives > 1) return `Serving ${count(archives, "archive")}`;
  const name = printable(basename(dir) || dir);
  const what = version === 0 || isFeed ? name : `${name}, version ${version}`;
  if (model.importing !== undefined) return `Importing ${name}`;
  if (model.writable) return `${listens ? "Sharing" : "Opening"} ${what}`;
  if (model.isComplete) return listens ? `Serving ${what}` : `Complete: ${what}`;
  // Whoever fetches tells how far it is within a second.
  if (listens && version > 0 && model.progress === undefined) return `Serving ${what}`;
  return `${links.length === 0 ? "Looking for peers of" : "Fetching"} ${what}`;
}

function linkOf({ link, archives }: ViewModel, width: number): Section {
  if (link === undefined || archives !== 1) return { rank: 5, lines: [] };
  return { rank: 5, lines: [[{ text: cutMiddle(link, width), style: "cyan" }]] };
}

/** How many peers, and what all of them together do. */
function totalsOf(model: ViewModel, width: number): Section {
  const { links, downRate, upRate, warnings, archives } = model;
  if (archives === 0) return { rank: 3, lines: [] };
  const peers = links.length === 0 ? "No peers" : count(links.length, "peer");
  const warned = warnings === 0 ? [] : [count(warnings, "warning")];
  // Of one alone its own line says as much.
  const rates = links.length < 2 ? [] : ratesText(downRate, upRate);
  const larger = links.length < 2 ? [] : largerOf(downRate, upRate);
  const parts = fitting([
    [peers, ...rates, ...warned],
    [peers, ...rates],
    [peers, ...larger],
    [peers],
  ], width);
  const line: Line = parts.map((part, n) => {
    const text = n === 0 ? part : `, ${part}`;
    return part === warned[0] ? { text, style: "yellow" } : { text };
  });
  return { rank: 3, lines: [line] };
}

function ratesText(down: number, up: number): string[] {
  return [`down ${formatRate(down)}`, `up ${formatRate(up)}`];
}

function largerOf(down: number, up: number): string[] {
  return ratesText(down, up).slice(up > down ? 1 : 0, up > down ? 2 : 1);
}

/** A line for each link; the busiest ones where there are too many. */
function linksOf({ links }: ViewModel, width: number, most: number): Section {
  const isCrowd = links.length > most;
  const rate = ({ downRate, upRate }: LinkFigures) => downRate + upRate;
  const shown = isCrowd
    ? links.toSorted((a, b) => rate(b) - rate(a)).slice(0, Math.max(0, most - 1))
    : links;
  const rows = shown.map((link) => ({ link, address: printable(link.address) }));
  const longest = Math.max(0, ...rows.map(({ address }) => textWidth(address)));
  const lines: Line[] = rows.map(({ link, address }) => {
    const { downRate, upRate, roundTripMs } = link;
    const rates = ratesText(downRate, upRate).map((text) => padText(text, 13));
    const trip = roundTripMs === undefined ? [] : [`${formatMs(roundTripMs)}`];
    const room = width - 2;
    const column = Math.min(longest, Math.max(15, Math.floor(room / 2)));
    const figures = fitting([
      [...rates, ...trip],
      rates,
      largerOf(downRate, upRate),
      [],
    ], room - column - 2);
    const place = figures.length === 0
      ? cutMiddle(address, room)
      : padText(cutMiddle(address, column), column);
    return [{ text: `  ${[place, ...figures].join("  ").trimEnd()}` }];
  });
  if (isCrowd) {
    const text = cutEnd(`  ... and ${links.length - shown.length} more`, width);
    lines.push([{ text, style: "dim" }]);
  }
  return { rank: 4, lines };
}

function formatMs(ms: number): string {
  return ms < 1 ? "below 1 ms" : `${Math.round(ms)} ms`;
}

/** The bar of a download. What is all here has none, and what nobody has told of yet. */
function progressOf({ progress }: ViewModel, width: number): Section {
  if (progress === undefined) return { rank: 0, lines: [] };
  const { bytes, bytesTotal, blocks, blocksTotal, downRate } = progress;
  if (blocks === blocksTotal) return { rank: 0, lines: [] };
  const share = bytesTotal === 0 ? 0 : Math.min(1, bytes / bytesTotal);
  const seconds = (bytesTotal - bytes) / downRate;
  const left = seconds < MAX_LEFT_SECONDS ? [leftText(Math.ceil(seconds))] : [];
  // Of one width each, so that the bar keeps its length while numbers change.
  const amount = `${formatBytes(bytes).padStart(6)} of ${formatBytes(bytesTotal)}`;
  const rate = formatRate(downRate).padStart(8);
  const choices = [[amount, rate, ...left], [amount, ...left], left, [rate], []];
  return { rank: 0, lines: [barLine(share, choices, width)] };
}

/** A guess: nothing finer than seconds. */
function leftText(seconds: number): string {
  return `${seconds < 60 ? `${seconds} s` : formatSeconds(seconds)} left`.padEnd(11);
}

/** A bar, its percentage, and the first of these texts that leaves room for both. */
function barLine(share: number, choices: readonly string[][], width: number): Line {
  const percent = `${Math.floor(share * 100)}%`.padStart(5);
  const texts = fitting(choices, width - MIN_BAR - 2 - 2 - percent.length);
  const tail = [percent, ...texts].join("  ");
  const length = Math.min(MAX_BAR, width - 2 - textWidth(tail));
  if (length < 1) return [{ text: cutEnd(percent.trim(), width) }];
  const done = Math.round(share * length);
  return [
    { text: "[" },
    { text: "=".repeat(done), style: "green" },
    { text: `${"-".repeat(length - done)}]${tail.trimEnd()}` },
  ];
}

/** The first of several lists of texts that fits, with two blanks between them. */
function fitting(choices: readonly string[][], width: number): string[] {
  return choices.find((texts) => textWidth(texts.join("  ")) <= width) ?? choices.at(-1)!;
}

function importOf({ importing }: ViewModel, width: number): Section {
  if (importing === undefined) return { rank: 2, lines: [] };
  const { files, bytes, path } = importing;
  const figures = cutEnd(`${count(files, "file")}, ${formatBytes(bytes)}`, width);
  const room = width - textWidth(figures) - 2;
  if (room < 12) return { rank: 2, lines: [[{ text: figures }], [pathPart(path, width)]] };
  return { rank: 2, lines: [[{ text: `${figures}  ` }, pathPart(path, room)]] };
}

function pathPart(path: string, width: number): Line[number] {
  return { text: cutStart(printable(path), width), style: "dim" };
}

/** Local work: a bar, and what it is about right now. */
function workOf({ work }: ViewModel, width: number): Section {
  if (work === undefined) return { rank: 0, lines: [] };
  const { share, text, tail } = work;
  const what = printable(text);
  const lines: Line[] = [barLine(Math.min(1, share), [[what], []], width)];
  if (tail !== "") lines.push([pathPart(tail, width)]);
  return { rank: 0, lines };
}

function notesOf({ notes }: ViewModel, width: number): Section {
  const lines: Line[] = notes.map(({ text }) => [
    { text: cutMiddle(`  ${printable(text)}`, width), style: "dim" },
  ]);
  return { rank: 7, lines };
}

function hintOf({ hint }: ViewModel, width: number): Section {
  if (hint === undefined) return { rank: 6, lines: [] };
  return { rank: 6, lines: [[{ text: cutEnd(hint, width), style: "dim" }]] };
}
