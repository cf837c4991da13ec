/**
 * Who is compared, in which version and how it is set: limits up, compression off unless it is what is measured, TCP_NODELAY everywhere, one thread
 * unless threads are what is measured.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RUNTIMES, runtimeVersion } from "../scripts/runtimes.mjs";
import { ROOT } from "../scripts/setup/command.mjs";
import { nativeVersion } from "./native_peers.mjs";

/** Name, where the version comes from, and the options. */
const PARTICIPANTS = [
  [
    "bun/deno/node uring, native",
    "ringwire",
    "as published (dist/); `maxMessageBytes` 64 MiB, a `batch` handler that forwards; clients: a `message` handler; the rest at its default, and `waitUs` where the name says so",
  ],
  ["C limit", "", "ffi/test/echo_limit.c: plain C on io_uring, nothing checked that an echo can do without"],
  [
    "Bun.serve",
    "bun",
    "`perMessageDeflate: false`, `maxPayloadLength` and `backpressureLimit` 64 MiB, `idleTimeout: 0`",
  ],
  [
    "Deno.serve",
    "deno",
    '`upgradeWebSocket` with `idleTimeout: 0`, `binaryType: "arraybuffer"`; it has no other options; over TLS, handshakes and answers of 16 KiB take it 44 ms, as long as a delayed acknowledgement',
  ],
  [
    "ws",
    "ws",
    "on Node; `perMessageDeflate: false`, `maxPayload` 64 MiB; clients turn each message into a string, because it gives bytes",
  ],
  ["Bun's WebSocket", "bun", "at its defaults; compression is not agreed on, because the server refuses it"],
  ["Deno's WebSocket", "deno", "at its defaults; it has no compression"],
  [
    "undici",
    "undici",
    "on Node; at its defaults; compression is not agreed on, because the server refuses it",
  ],
  [
    "uWebSockets",
    "uWebSockets",
    "C++, epoll, from the Rust package libuwebsockets-sys of this version; `-O3 -march=native`, `DISABLED` compression, no idle timeout or pings, `maxPayloadLength` and `maxBackpressure` 64 MiB",
  ],
  [
    "sockudo-ws",
    "sockudo-ws",
    "tokio on one thread, `target-cpu=native`, LTO; `Compression::Disabled`, limits 64 MiB, `feed` (what one read brings leaves in one write); masks from fastrand, which is no CSPRNG",
  ],
  [
    "fastwebsockets",
    "fastwebsockets",
    "tokio on one thread, `target-cpu=native`, LTO; `max_message_size` 64 MiB, a write for each message as in its example",
  ],
  [
    "tokio-tungstenite",
    "tokio-tungstenite",
    "tokio on one thread, `target-cpu=native`, LTO; limits 64 MiB, stream forwarded to sink (what one read brings leaves in one write)",
  ],
  ["web-socket", "web-socket", "codec only; reads through a buffer of 64 KiB, UTF-8 checked by the caller"],
];

function packageVersion(path) {
  return JSON.parse(readFileSync(join(ROOT, path, "package.json"), "utf8")).version;
}

function version(source) {
  if (source === "") return "";
  if (RUNTIMES.includes(source)) return runtimeVersion(source) ?? "missing";
  if (source === "ringwire") return packageVersion(".");
  return nativeVersion(source) ?? packageVersion(`node_modules/${source}`);
}

/** Rows of name, version, options. */
export function peerTable() {
  return PARTICIPANTS.map(([name, source, options]) => [name, version(source), options]);
}
