/**
 * The index part of a bitfield, worked out by the letter of the spec of storage, section 8, without
 * the project's own code: byte by byte, over all pages at once.
 */
const DATA_BYTES = 1024;
const INDEX_BYTES = 512;

/** The index bytes of all pages, joined, for pages whose data part comes first. */
export function indexOf(pages: readonly Uint8Array[]): Uint8Array {
  const index = new Uint8Array(pages.length * INDEX_BYTES);
  const dataByte = (i: number) => pages[Math.floor(i / DATA_BYTES)][i % DATA_BYTES];
  for (let group = 0; group < index.length / 2; group++) {
    for (let k = 0; k < 4; k++) {
      const data = dataByte(4 * group + k);
      index[2 * group] |= (data === 0xff ? 0b11 : data === 0 ? 0b00 : 0b01) << (6 - 2 * k);
    }
  }
  for (let half = 1; half < index.length; half *= 2) {
    for (let at = 2 * half - 1; at < index.length; at += 4 * half) {
      index[at] = nibble(index[at - half]) << 4 | nibble(index[at + half] ?? 0);
    }
  }
  return index;
}

function nibble(child: number): number {
  const state = (half: number) => half === 0b1111 ? 0b11 : half === 0 ? 0b00 : 0b01;
  return state(child >> 4) << 2 | state(child & 15);
}

/** The pages of a bitfield file. */
export function pagesOf(file: Uint8Array): Uint8Array[] {
  const pageBytes = file[5] * 256 + file[6];
  const pages: Uint8Array[] = [];
  for (let at = 32; at + pageBytes <= file.length; at += pageBytes) {
    pages.push(file.subarray(at, at + pageBytes));
  }
  return pages;
}

/** The index bytes that a bitfield file has, joined. */
export function storedIndexOf(file: Uint8Array): Uint8Array {
  const pages = pagesOf(file);
  const index = new Uint8Array(pages.length * INDEX_BYTES);
  for (const [number, page] of pages.entries()) {
    index.set(page.subarray(3072), number * INDEX_BYTES);
  }
  return index;
}
