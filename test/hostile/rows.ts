/**
 * What hostile input every part must survive: the list this folder is measured against. Each row is an id that stands in
 * brackets at the start of at least one test's name here; each known hole is an id that stands in one; rows.test.ts checks both.
 *
 * Rows about an HTTP client wait for that part.
 */

/** Ids of rows with what they ask for. Bad input gets a clear typed error to our user, the right close code or HTTP
 * status to the peer, no crash, no unbounded memory, and nothing of another connection is touched. */
export const ROWS: Readonly<Record<string, string>> = {
  "frames.split":
    "Every frame split at every byte boundary: whole, byte by byte and random splits give equal events",
  "frames.masking": "An unmasked frame to a server, a masked frame to a client: 1002",
  "frames.reserved-bits":
    "RSV bits without a negotiated extension; RSV1 on control or continuation frames: 1002",
  "frames.opcodes": "Reserved opcodes: 1002",
  "frames.control": "Fragmented control frames, control payload above 125 bytes: 1002",
  "frames.sequence": "A continuation without a start, a new data frame inside a fragmented message: 1002",
  "frames.lengths": "Lengths not in their shortest form, a 64-bit length with the top bit: 1002",
  "frames.limit":
    "Lengths of 2^53 and more, a declared length over the limit: refused before allocating, 1009",
  "frames.close": "A close payload of 1 byte, reserved and out-of-range codes, bad UTF-8 in the reason",
  "frames.utf8":
    "Overlong, surrogate, above U+10FFFF, cut off at the end, split across fragments: 1007 as soon as it is certain",
  "frames.utf8-linear": "No revalidation of the whole buffer: linear time",
  "frames.tiny-fragments": "Floods of tiny fragments: fragment count and retained bytes are capped",
  "frames.deadline": "An incomplete message has a deadline",
  "frames.pings": "A flood of pings from a peer that does not read: pongs are bounded and coalesced",
  "frames.unread": "A peer that sends faster than the program reads is held up by TCP; memory stays bounded",
  "sending.control": "Control frames above 125 bytes are refused",
  "sending.close": "Bad close codes and reasons are refused",
  "sending.payloads":
    "Payloads that would leak memory (numbers, views over shared pools) are refused or sent as exactly their bytes",

  "compression.bomb": "The limit holds per inflated chunk, including the last; ratio and absolute limits",
  "compression.takeover": "Takeover never desynchronises when a message is not compressed",
  "compression.bfinal": "BFINAL=1 is accepted",
  "compression.parameters":
    "window_bits outside 8 to 15, duplicate and unknown parameters, an unrequested extension: refused",
  "compression.corrupt":
    "What is no DEFLATE stream, or refers to bytes before the window, fails the connection and nothing else",

  "handshake.request":
    "Wrong method, version (426 with the right header), key, Upgrade and Connection tokens, missing Host",
  "handshake.duplicates": "Repeated headers that a proxy may have read in the other way",
  "handshake.size": "More than the header count or size limit",
  "handshake.names": "Header names from Object.prototype",
  "handshake.bytes": "CR and LF in path, header and subprotocol; header bytes that are not ASCII",
  "handshake.answer":
    "Sec-WebSocket-Accept is checked; a subprotocol or extension that was not offered fails",
  "handshake.linear": "No backtracking regular expressions on peer input; header scanning takes linear time",
  "handshake.slowloris": "The handshake has a deadline",
  "handshake.pipelined": "Bytes pipelined behind the upgrade are kept, and bounded",
  "handshake.body": "Content-Length or Transfer-Encoding on an upgrade, conflicting lengths: refused",
  "handshake.origin": "Origin checks are available",
  "handshake.targets": "Odd request targets crash nothing and cannot change the host",

  "tls.certificate":
    "Expired, not valid yet, self-signed, of an unknown or false authority, for another use: each with its own error",
  "tls.name": "A certificate for another host or name than the one asked for",
  "tls.pin": "Another key than the pinned one",
  "tls.version": "TLS 1.1 and older are refused",
  "tls.renegotiation": "Nobody gets another handshake",
  "tls.truncation": "An end without close_notify is told",
  "tls.garbage": "What is no TLS is told once, and disturbs nobody",
  "tls.size": "A ClientHello without end is refused long before a megabyte",
  "tls.slowloris": "The TLS handshake has a deadline",
  "tls.injection": "Plain bytes behind a ClientHello reach nobody",

  "shim.buffers": "Buffers outlive a close: what arrives behind it harms nobody",
  "shim.enobufs": "ENOBUFS, multishot re-arm and short sends lose nothing",
  "shim.stale":
    "Completions and calls for a closed connection never reach the one that has its place (generations)",
  "shim.full": "A full submission ring, a full command array and a full event array lose nothing",
  "shim.descriptors": "EMFILE neither spins nor kills the accept loop",
  "shim.memory": "ENOMEM and RLIMIT_MEMLOCK: a clean fallback",
  "shim.forbidden": "io_uring forbidden by seccomp or sysctl: a clean fallback",
  "shim.validation":
    "Every exported function validates its handles; a garbage command record cannot corrupt memory",
  "shim.sanitizers": "ASan, UBSan and valgrind are clean; the ABI is fuzzed with random command streams",
};

/** A known hole in another library: what it was, so that the test can be judged. */
export interface KnownHole {
  readonly library: string;
  readonly what: string;
}

/** Holes that Ringwire must not have, by id. All were looked up; none is a guess. */
export const KNOWN_HOLES: Readonly<Record<string, KnownHole>> = {
  "CVE-2016-10518": { library: "ws", what: "ping(number) sent that many bytes of uninitialised memory" },
  "CVE-2016-10542": { library: "ws", what: "no limit on a message: one frame of 256 MiB killed the process" },
  "GHSA-5v72-xg48-5rpm": {
    library: "ws",
    what: 'Sec-WebSocket-Extensions: constructor threw ("__proto__" as well)',
  },
  "CVE-2021-32640": {
    library: "ws",
    what: "blanks in Sec-WebSocket-Protocol: a regular expression took quadratic time",
  },
  "CVE-2024-37890": {
    library: "ws",
    what: "more headers than the HTTP parser keeps: the missing Upgrade field was dereferenced",
  },
  "CVE-2026-45736": { library: "ws", what: "close(code, typedArray) sent uninitialised memory" },
  "CVE-2026-48779": {
    library: "ws",
    what: "tiny fragments and tiny data chunks each held an object far larger than themselves",
  },
  "CVE-2020-7662": {
    library: "websocket-extensions",
    what: "an unclosed quote with backslashes: the header regular expression backtracked",
  },
  "CVE-2026-1526": { library: "undici", what: "permessage-deflate inflated without any limit" },
  "CVE-2026-1528": {
    library: "undici",
    what: "a 64-bit length overflowed the parser, whose TypeError killed the process",
  },
  "CVE-2026-2229": {
    library: "undici",
    what: "server_max_window_bits outside 8 to 15 reached zlib, whose RangeError killed the process",
  },
  "CVE-2026-1527": {
    library: "undici",
    what: "CR and LF in the upgrade option injected headers and requests",
  },
  "CVE-2026-12151": {
    library: "undici",
    what: "fragments were limited in bytes and not in number: empty ones without end",
  },
  "CVE-2026-54466": {
    library: "websocket-driver",
    what: "a length of ever more bytes (drafts 75 and 76) lost its precision as a double",
  },
  "CVE-2023-26103": {
    library: "Deno",
    what: "Connection and Upgrade were split by /\\s*,\\s*/, which backtracks over blanks",
  },
  "CVE-2026-55517": {
    library: "Deno",
    what: "bytes above 0x7f in the answer's subprotocol or extensions panicked the client",
  },
  "CVE-2023-43669": {
    library: "tungstenite",
    what: "the head was parsed again from its start with each read: quadratic time",
  },
  "CVE-2022-35922": {
    library: "rust-websocket",
    what: "memory was allocated for the length that a frame declares",
  },
  "CVE-2020-27813": {
    library: "gorilla/websocket",
    what: "a 64-bit length with its top bit set became negative and passed the limit",
  },
  "CVE-2020-13935": { library: "Tomcat", what: "a 64-bit length with its top bit set looped for ever" },
  "CVE-2018-1000518": {
    library: "websockets (Python)",
    what: "max_size was not applied to what compressed messages inflate to",
  },
  "CVE-2020-15133": { library: "faye-websocket", what: "wss: without verifying the server's certificate" },
  "CVE-2022-39386": {
    library: "@fastify/websocket",
    what: "an error event without a listener: one bad frame killed the process",
  },
  "CVE-2025-24010": { library: "Vite", what: "cross-site WebSocket hijacking: the Origin was not checked" },
  // Beyond the list that this folder began with.
  "CVE-2025-10148": {
    library: "curl",
    what: "the same mask for every frame of a connection: proxies could be poisoned",
  },
  "CVE-2026-42786": { library: "Bandit", what: "fragments were put together without any limit on their sum" },
  "CVE-2026-45541": {
    library: "ESP-IDF",
    what: "a malformed Sec-WebSocket-Protocol was dereferenced as NULL",
  },
  "CVE-2026-54490": {
    library: "websocket-driver",
    what: "the message limit was applied before inflating, never after",
  },
};

/** Rows that the shim's own tests show at closer range: file under ffi/, then what stands in it. */
export const IN_C: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "shim.buffers": [
    ["test/life_test.c", "TEST(a_failed_send_still_delivers_what_was_received)"],
    ["test/exhaustion_test.c", "TEST(closing_a_ring_with_everything_in_flight_closes_every_socket)"],
  ],
  "shim.enobufs": [
    [
      "test/transfer_test.c",
      "TEST(receives_end_for_want_of_buffers_and_go_on)",
      "TEST(a_short_send_goes_on_from_the_queue)",
      "TEST(echo_works_in_the_smallest_block)",
    ],
  ],
  "shim.stale": [["test/misuse_test.c", "TEST(a_stale_handle_reaches_nobody)"]],
  "shim.full": [
    ["test/exhaustion_test.c", "TEST(a_full_table_refuses_and_recovers)"],
    [
      "test/transfer_test.c",
      "TEST(completions_beyond_the_queue_are_not_lost)",
      "TEST(a_blocking_turn_without_room_for_events_still_sends)",
    ],
  ],
  "shim.descriptors": [
    ["test/exhaustion_test.c", "TEST(running_out_of_descriptors_neither_spins_nor_ends_accepting)"],
    ["test/ring_test.c", "TEST(opening_without_descriptors_fails_cleanly)"],
  ],
  "shim.forbidden": [
    [
      "test/ring_test.c",
      "TEST(a_forbidden_io_uring_is_refused_with_the_reason)",
      "TEST(a_missing_io_uring_is_refused_with_the_reason)",
    ],
  ],
  "shim.validation": [
    ["test/misuse_test.c", "TEST(garbage_commands_are_skipped_and_the_rest_is_done)"],
    ["test/ring_test.c", "TEST(a_wrong_control_page_is_refused)"],
  ],
  "shim.sanitizers": [
    ["test/misuse_test.c", "TEST(random_command_streams_corrupt_nothing)"],
    ["Makefile", "test-asan:", "test-valgrind:", "-fsanitize=address,undefined"],
  ],
};
