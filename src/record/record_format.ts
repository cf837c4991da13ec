/**
 * The file format of recordings, `.rwr`, version 1. Numbers are little-endian.
 *
 *     file    = magic, then records until the end
 *     magic   = 8F 52 57 52 0D 0A 1A 01      0x8F "RWR" CR LF ^Z version: a transfer "as text" breaks it visibly
 *     record  = header (28 bytes), payload
 *
 *     header   0  u8 u8   "RW"
 *              2  u8      kind, below
 *              3  u8      0
 *              4  u32     connection, from 1 on and never used twice in a file; 0: none
 *              8  u32     length of the payload, at most 1 MiB
 *             12  u64     time: monotonic nanoseconds, on the clock of the last session record
 *             20  u32     CRC-32 of the payload (the polynomial of zlib, gzip and PNG)
 *             24  u32     CRC-32 of bytes 0 to 23
 *
 *     kind  session 1   JSON {wallMs, monotonicNs}: both clocks at one moment. First record of a file, and again
 *                       whenever a recorder appends to it; connections of earlier sessions are over then.
 *           open    2   JSON, see `ConnectionFacts`: the connection stands, TLS included
 *           in      3   bytes of one read, as the protocol above got them (after TLS)
 *           out     4   bytes committed one after the other in one turn (before TLS)
 *           end     5   nothing: the peer will send no more (FIN, close_notify)
 *           closed  6   JSON {code, message} of the error, or nothing: the connection is gone. Its last record
 *           loss    7   JSON {records, inBytes, outBytes}: what of this connection did not find room and is missing here
 *
 * Records are only ever appended. What a crash tears off is the end: everything before it stays readable, and
 * because headers have a checksum of their own, a reader finds its way again behind damage in the middle.
 */

import { crc32, crc32Words } from "../runtime/crc32.ts";

/** First bytes of every recording; the last one is the version. */
export const MAGIC: Uint8Array = Uint8Array.of(0x8f, 0x52, 0x57, 0x52, 0x0d, 0x0a, 0x1a, 0x01);
/** Bytes before each payload. */
export const HEADER_BYTES = 28;
/** Where in them the payload's checksum stands. */
export const PAYLOAD_CRC_AT = 20;
/** Longest payload. */
export const MAX_PAYLOAD_BYTES: number = 1 << 20;

export const KIND_SESSION = 1;
export const KIND_OPEN = 2;
export const KIND_IN = 3;
export const KIND_OUT = 4;
export const KIND_END = 5;
export const KIND_CLOSED = 6;
export const KIND_LOSS = 7;

/** What a record is about. */
export type RecordKind = "session" | "open" | "in" | "out" | "end" | "closed" | "loss";

const KIND_NAMES: readonly (RecordKind | undefined)[] = [
  undefined,
  ...(["session", "open", "in", "out", "end", "closed", "loss"] as const),
];

const MARK = 0x5752;
const HIGH = 2 ** 32;
const words: Int32Array = new Int32Array(6);

/** The name of a kind, or undefined for none of this version. */
export function kindName(kind: number): RecordKind | undefined {
  return KIND_NAMES[kind];
}

/** A record's header, read into the same object again and again. */
export interface RecordHeader {
  kind: number;
  connection: number;
  payloadBytes: number;
  timeNs: number;
  payloadCrc: number;
}

/** Writes a header around the checksum of its payload, which is there already. */
export function writeHeader(
  view: DataView,
  at: number,
  kind: number,
  connection: number,
  payloadBytes: number,
  timeNs: number,
): void {
  words[0] = MARK | (kind << 16);
  words[1] = connection;
  words[2] = payloadBytes;
  words[3] = (timeNs % HIGH) | 0;
  words[4] = (timeNs / HIGH) | 0;
  words[5] = view.getInt32(at + PAYLOAD_CRC_AT, true);
  for (let index = 0; index < 5; index++) view.setInt32(at + index * 4, words[index], true);
  view.setInt32(at + 24, crc32Words(words), true);
}

/** Reads the header at `at` (28 bytes must be there). False: there is none, or it is damaged. */
export function readHeader(view: DataView, at: number, header: RecordHeader): boolean {
  if (view.getUint16(at, true) !== MARK) return false;
  for (let index = 0; index < 6; index++) words[index] = view.getInt32(at + index * 4, true);
  if (crc32Words(words) !== view.getUint32(at + 24, true)) return false;
  header.kind = words[0] >>> 16;
  header.connection = words[1] >>> 0;
  header.payloadBytes = words[2] >>> 0;
  header.timeNs = (words[3] >>> 0) + (words[4] >>> 0) * HIGH;
  header.payloadCrc = words[5] >>> 0;
  return kindName(header.kind) !== undefined && header.payloadBytes <= MAX_PAYLOAD_BYTES;
}

/** Whether the payload at `start` is what its header says. */
export function isIntact(bytes: Uint8Array, start: number, header: RecordHeader): boolean {
  return crc32(bytes, start, start + header.payloadBytes) === header.payloadCrc;
}
