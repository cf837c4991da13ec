/** Changes inputs a little, the way fuzzers do: most changes keep most of what made an input interesting. */

/** Values that sit at edges of formats: lengths, masks, first bytes of frames, ends of UTF-8 ranges, line ends. */
const EDGE_BYTES = [
  0x00, 0x01, 0x02, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xbf, 0xc0, 0xc1, 0xed, 0xf4, 0xfe,
  0xff, 0x0a, 0x0d, 0x20, 0x2c, 0x3a, 0x3b, 0x3d, 0x22, 0x5c,
] as const;

/** One to eight small changes to a copy of `parent`; `other` lends a part now and then. */
export function mutate(
  parent: Uint8Array,
  other: Uint8Array,
  random: () => number,
  maxBytes: number,
): Uint8Array {
  let bytes = Array.from(parent);
  const changes = 1 << Math.floor(random() * 4);
  for (let index = 0; index < changes; index++) bytes = change(bytes, other, random);
  return Uint8Array.from(bytes.slice(0, maxBytes));
}

/** Bytes without a past. */
export function drawBytes(random: () => number, maxBytes: number): Uint8Array {
  const size = Math.floor(random() * random() * maxBytes) + 1;
  return Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
}

function change(bytes: number[], other: Uint8Array, random: () => number): number[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  const at = below(bytes.length + 1);
  const length = 1 + below(below(8) === 0 ? 64 : 6);
  switch (below(9)) {
    case 0:
      bytes[Math.min(at, Math.max(0, bytes.length - 1))] = below(256);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] ^= 1 << below(8);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = (bytes[at] + below(9) - 4) & 0xff;
      return bytes;
    case 3:
      if (at < bytes.length) bytes[at] = EDGE_BYTES[below(EDGE_BYTES.length)];
      return bytes;
    case 4:
      return [...bytes.slice(0, at), ...bytes.slice(at + length)];
    case 5:
      return [...bytes.slice(0, at), ...Array.from({ length }, () => below(256)), ...bytes.slice(at)];
    case 6:
      return [...bytes.slice(0, at), ...bytes.slice(at, at + length), ...bytes.slice(at)];
    case 7: {
      const from = below(other.length);
      return [...bytes.slice(0, at), ...other.slice(from, from + length), ...bytes.slice(at)];
    }
    default:
      return [...bytes.slice(0, at), ...other.slice(below(other.length))];
  }
}
