/**
 * The messages of a soak. Message `index` of the stream with `seed` is the same in every process, so whoever receives it compares each byte
 * with what it must be: more than a checksum shows. Its head says which one it is, so that a lost, doubled or misplaced message is
 * told from an altered one.
 */
import { Buffer } from "node:buffer";
import { Random } from "./random.mjs";

/** The largest message: what a Ringwire server takes by default. */
export const MAX_MESSAGE_BYTES = 1 << 20;

const POOL_BYTES = MAX_MESSAGE_BYTES + (1 << 18);
/** Below this there is no room for a head. */
const HEAD_BYTES = 32;

/** Share of messages by the number of bytes: most are small, as in the field. */
const SIZES = [
  { weight: 4, from: 0, to: 0 },
  { weight: 30, from: 1, to: 125 },
  { weight: 26, from: 126, to: 1_000 },
  { weight: 24, from: 1_001, to: 16_384 },
  { weight: 10, from: 16_385, to: 65_535 },
  { weight: 3, from: 65_536, to: 300_000 },
  { weight: 0.6, from: 300_001, to: MAX_MESSAGE_BYTES },
  // Where the length field of a frame changes its size (RFC 6455 §5.2).
  { weight: 1, from: 125, to: 126 },
  { weight: 1, from: 65_535, to: 65_536 },
];

const WEIGHTS = Object.fromEntries(SIZES.map(({ weight }, index) => [index, weight]));

let pools;

/** What messages are cut from: half of the binary pool compresses well, text of one to four bytes per character does. */
function makePools() {
  const random = new Random(20_250_101);
  const binary = new Uint8Array(POOL_BYTES);
  for (let at = 0; at < POOL_BYTES; ) {
    const end = Math.min(POOL_BYTES, at + random.between(100, 20_000));
    if (random.chance(0.5)) binary.fill(random.next() & 0xff, at, end);
    else for (let index = at; index < end; index++) binary[index] = random.next();
    at = end;
  }
  const lines = [];
  const symbols = ["BTC-USD", "ETH-EUR", "Müller-AG", "東京-JPY", "𝄞-CHF"];
  for (let bytes = 0; bytes < POOL_BYTES; ) {
    const price = random.between(1, 9_999_999) / 100;
    const line = `{"s":"${random.of(symbols)}","p":${price},"q":${random.between(1, 500)},"t":${random.next()}}\n`;
    bytes += Buffer.byteLength(line);
    lines.push(line);
  }
  return { binary, text: Buffer.from(lines.join("")).subarray(0, POOL_BYTES) };
}

/** Whether a byte goes on with a character of UTF-8 that began before it. */
const isInside = (byte) => (byte & 0xc0) === 0x80;

/**
 * Makes one message.
 *
 * @param seed - The stream's, 0 to 2^32 - 1.
 * @param index - Its place in the stream, from 0.
 * @param limits - `minBytes` and `maxBytes`: sizes are moved to what is between them.
 * @returns Bytes of its own (UTF-8 for text) and whether it is text.
 */
export function messageOf(seed, index, { minBytes = 0, maxBytes = MAX_MESSAGE_BYTES } = {}) {
  pools ??= makePools();
  const random = new Random(seed ^ Math.imul(index + 1, 0x85ebca6b));
  const isText = random.chance(0.5);
  const { from, to } = SIZES[random.weighted(WEIGHTS)];
  const size = Math.min(Math.max(random.between(from, to), minBytes), maxBytes);
  const start = random.between(0, POOL_BYTES - MAX_MESSAGE_BYTES - 8);
  const bytes = isText ? cutText(start, size) : pools.binary.slice(start, start + size);
  if (bytes.length >= HEAD_BYTES) stamp(bytes, seed, index);
  return { isText, bytes };
}

function cutText(start, size) {
  const { text } = pools;
  let from = start;
  while (isInside(text[from])) from++;
  let to = from + size;
  while (to > from && isInside(text[to])) to--;
  const bytes = new Uint8Array(text.subarray(from, to));
  // The head may end inside a character: what is left of it goes.
  for (let at = HEAD_BYTES; isInside(bytes[at]); at++) bytes[at] = 0x2e;
  return bytes;
}

/** Whether a message says, whole, which one it is. */
const isStamped = (bytes) => /^#\d{10} of [0-9a-f]{8} \.{7}\n/.test(bytes.toString("latin1", 0, HEAD_BYTES));

/** 32 ASCII characters in front: fine in text and in bytes. */
function stamp(bytes, seed, index) {
  const head = `#${index.toString().padStart(10, "0")} of ${seed.toString(16).padStart(8, "0")} .......\n`;
  for (let at = 0; at < HEAD_BYTES; at++) bytes[at] = head.charCodeAt(at);
}

/**
 * Compares what came with what should have.
 *
 * @param bytes - The payload; UTF-8 for text.
 * @returns What is wrong, or undefined when every byte and the type are right.
 */
export function differenceFrom(expected, bytes, isText) {
  const came = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isText === expected.isText && came.equals(expected.bytes)) return undefined;
  const head = (message) => JSON.stringify(Buffer.from(message.subarray(0, HEAD_BYTES)).toString("latin1"));
  const kind = (flag) => (flag ? "text" : "binary");
  const isSameHead = came.subarray(0, HEAD_BYTES).equals(expected.bytes.subarray(0, HEAD_BYTES));
  if (
    isText === expected.isText &&
    came.length === expected.bytes.length &&
    (isSameHead || !isStamped(came))
  ) {
    let at = 0;
    while (came[at] === expected.bytes[at]) at++;
    return `altered at byte ${at} of ${came.length}: ${came[at]} instead of ${expected.bytes[at]}; it begins ${head(came)}`;
  }
  return (
    `got ${kind(isText)} of ${came.length} bytes that begins ${head(came)} instead of ` +
    `${kind(expected.isText)} of ${expected.bytes.length} bytes that begins ${head(expected.bytes)}`
  );
}
