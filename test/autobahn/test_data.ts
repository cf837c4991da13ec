/**
 * What groups 12 and 13 send: five files of the kinds, sizes and types that Autobahn has, made here, the same ones in each
 * run. Text is ASCII, as it is cut anywhere.
 */

/** A file, and whether it goes as text. */
export interface TestData {
  readonly isText: boolean;
  readonly isCompressible: boolean;
  readonly bytes: Uint8Array;
}

const JSON_BYTES = 194_056;
const HTML_BYTES = 263_527;
const GERMAN_BYTES = 222_218;
const PDF_BYTES = 1_042_328;
const BITMAP_SIDE = 512;

const VENUES = ["XNAS", "XNYS", "BATS", "ARCX", "IEXG"];
const GERMAN = (
  "habe nun ach philosophie juristerei und medizin und leider auch theologie durchaus studiert mit heißem bemühn " +
  "da steh ich nun ich armer tor und bin so klug als wie zuvor heiße magister heiße doktor gar und ziehe schon an " +
  "die zehen jahr herauf herab und quer und krumm meine schüler an der nase herum"
).split(" ");

/** Numbers that look random, from 0 up to a bound. */
type Dice = (bound: number) => number;

function dice(seed: number): Dice {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Pieces of text until there is enough. */
function written(sizeBytes: number, piece: () => string): Uint8Array {
  const parts: string[] = [];
  for (let length = 0; length < sizeBytes; ) {
    const text = piece();
    parts.push(text);
    length += text.length;
  }
  return new TextEncoder().encode(parts.join("")).subarray(0, sizeBytes);
}

function json(): Uint8Array {
  const roll = dice(1);
  let index = 0;
  return written(JSON_BYTES, () => {
    const fields = {
      id: index++,
      venue: VENUES[roll(5)],
      price: roll(1e6) / 100,
      size: roll(900),
      firm: roll(2) > 0,
    };
    return `${JSON.stringify(fields)},\n`;
  });
}

function html(): Uint8Array {
  const roll = dice(2);
  return written(HTML_BYTES, () => {
    const cells = Array.from({ length: 4 }, () => `<td class="cell-${roll(6)}">${roll(1e5)}</td>`);
    return `<tr id="row-${roll(1e6)}">\n  ${cells.join("")}\n</tr>\n<p>A row of ${VENUES[roll(5)]}.</p>\n`;
  });
}

function german(): Uint8Array {
  const roll = dice(3);
  return written(GERMAN_BYTES, () => `${GERMAN[roll(GERMAN.length)]}${roll(9) > 0 ? " " : ".\r\n"}`);
}

/** Grey values of a smooth surface with some noise, behind a header and a palette. */
function bitmap(): Uint8Array {
  const roll = dice(4);
  const head = new Uint8Array(54 + 256 * 4).fill(7);
  const pixels = Uint8Array.from({ length: BITMAP_SIDE * BITMAP_SIDE }, (_, index) => {
    const x = index % BITMAP_SIDE;
    const y = Math.floor(index / BITMAP_SIDE);
    return 128 + 90 * Math.sin(x / 37) * Math.cos(y / 53) + roll(6);
  });
  return Uint8Array.from([...head, ...pixels]);
}

/** Little text around much that is compressed already. */
function pdf(): Uint8Array {
  const roll = dice(5);
  const whole = new Uint8Array(PDF_BYTES);
  for (let at = 0, index = 1; at < PDF_BYTES; index++) {
    const lengthBytes = 2_000 + roll(30_000);
    const head = new TextEncoder().encode(
      `${index} 0 obj\n<< /Length ${lengthBytes} /Filter /FlateDecode >>\nstream\n`,
    );
    whole.set(head.subarray(0, PDF_BYTES - at), at);
    at += head.length;
    const end = Math.min(at + lengthBytes, PDF_BYTES);
    for (; at < end; at++) whole[at] = roll(256);
  }
  return whole;
}

/** Made when first needed. */
function once(isText: boolean, isCompressible: boolean, make: () => Uint8Array): () => TestData {
  let made: TestData | undefined;
  return () => {
    made ??= { isText, isCompressible, bytes: make() };
    return made;
  };
}

export const JSON_DATA: () => TestData = once(true, true, json);
export const BITMAP_DATA: () => TestData = once(false, true, bitmap);
export const GERMAN_DATA: () => TestData = once(false, true, german);
export const HTML_DATA: () => TestData = once(true, true, html);
export const PDF_DATA: () => TestData = once(false, false, pdf);

/** The index-th message of `sizeBytes`: the file again and again, cut into pieces. */
export function pieceOf({ bytes }: TestData, index: number, sizeBytes: number): Uint8Array {
  const from = (index * sizeBytes) % bytes.length;
  const piece = bytes.slice(from, from + sizeBytes);
  if (piece.length === sizeBytes) return piece;
  const whole = new Uint8Array(sizeBytes);
  whole.set(piece);
  whole.set(bytes.subarray(0, sizeBytes - piece.length), piece.length);
  return whole;
}
