/** ClientHello messages byte by byte (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2), so that odd ones can be said too. */

/** What a ClientHello offers. */
export interface HelloShape {
  /** Legacy version: 0x0303 for TLS 1.2; lower ones are older protocols. */
  readonly version: number;
  readonly ciphers: readonly number[];
  /** Server name; none unless given. */
  readonly name?: string;
  /** Protocols for ALPN; none unless given. */
  readonly protocols?: readonly string[];
}

const u16 = (value: number): number[] => [value >> 8, value & 0xff];
const counted16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

function extensions({ name, protocols }: HelloShape): number[] {
  const all: number[] = [];
  const add = (type: number, body: readonly number[]): void => {
    all.push(...u16(type), ...counted16(body));
  };
  if (name !== undefined) add(0, counted16([0, ...counted16(ascii(name))]));
  // secp256r1 and x25519; ECDSA and RSA-PSS with SHA-256: without these no server goes on.
  add(10, counted16([...u16(0x001d), ...u16(0x0017)]));
  add(13, counted16([...u16(0x0403), ...u16(0x0804), ...u16(0x0401)]));
  if (protocols !== undefined) {
    const names = protocols.flatMap((protocol) => [protocol.length, ...ascii(protocol)]);
    add(16, counted16(names));
  }
  return all;
}

/** One record with a ClientHello of TLS 1.2 or before. */
export function clientHello(shape: HelloShape): Uint8Array {
  const random = Array.from({ length: 32 }, (_, index) => index);
  const body = [
    ...u16(shape.version),
    ...random,
    0,
    ...counted16(shape.ciphers.flatMap(u16)),
    1,
    0,
    ...counted16(extensions(shape)),
  ];
  const message = [1, 0, ...counted16(body)];
  return Uint8Array.from([22, ...u16(0x0301), ...counted16(message)]);
}

/** A record of TLS as it stands on the wire. */
export interface WireRecord {
  /** 20 change_cipher_spec, 21 alert, 22 handshake, 23 application data (RFC 8446 §5.1). */
  readonly type: number;
  readonly version: number;
  readonly body: Uint8Array;
}

/** The whole records at the start of some bytes. */
export function recordsOf(bytes: Uint8Array): WireRecord[] {
  const records: WireRecord[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const size = bytes[at + 3] * 256 + bytes[at + 4];
    if (at + 5 + size > bytes.length) break;
    const body = bytes.subarray(at + 5, at + 5 + size);
    records.push({ type: bytes[at], version: bytes[at + 1] * 256 + bytes[at + 2], body });
    at += 5 + size;
  }
  return records;
}
