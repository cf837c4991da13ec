/**
 * Why a target is missed: what limits us, and what was tried. NOTES.md has the whole story; RESULTS.md prints these under its table of targets.
 *
 * `workloads` and `target` are keys of workloads.mjs ("limit" for a figure that has a target itself), `figures` are the figures concerned, all unless
 * said. Targets that are reached by little are here as well: another run may miss them.
 */

const ECHO_ONE_BY_ONE = ["echo-512-100", "echo-512-500", "echo-1024-100", "echo-1024-500"];

export const EXPLANATIONS = [
  {
    workloads: ["echo-pipe"],
    target: "*/C limit",
    limit:
      "user space: 750 to 900 instructions a message on top of the kernel's, where the limit in C, which checks little and calls nobody, has 185. A third is iterating the batch and `send`, a third the headers' first touch of new bytes (the limit pays that, too), a third the frame and its bookkeeping",
    tried:
      "copying and unmasking in C, first thing in the turn (0.74 – 0.81 → 0.81 – 0.87); aligned words, four words a round, zero-copy sends, larger arenas: no gain, dropped. A tenth of the instructions of our JavaScript went since: lengths written once, whole numbers instead of doubles",
  },
  {
    workloads: ["echo-pipe"],
    target: "*/uWebSockets",
    limit:
      "the C limit itself is 1.08 to 1.1 times uWebSockets here: with 16 messages in a read both keep the load generator's core busy, too. With one message at a time we are level with it (echo-512-100)",
    tried: "what was tried for the C limit, which comes first",
  },
  {
    workloads: ["echo-pipe", "echo-512-100"],
    target: "bun native/Bun.serve",
    limit:
      "Bun makes an array of each read, hands it out in a callback, and takes answers by a call of `write`: 5,400 user instructions for an echo of 512 B by a bare `Bun.listen`, where Bun.serve, in C++, takes 4,300",
    tried:
      "reads copied to one arena whose views are kept (6,700 → 4,700), and what the callbacks of one round send leaves at its end (0.5 → 0.94 of Bun.serve); with 16 messages in a read ours is 1.35 times as fast (echo-pipe)",
  },
  {
    workloads: ["echo-512-100", "echo-16k"],
    target: "deno native/Deno.serve",
    limit:
      "with one message in each read, or a part of one (16 KiB), a callback of the runtime and a write of its own for each; Deno.serve reads and writes in Rust",
    tried: "what the callbacks of one round send leaves at its end (1.5 times as many messages)",
  },
  {
    workloads: ["echo-512-100"],
    target: "node native/ws",
    limit:
      "`node:net`, which ws uses as well: with one message in each read, its callback and its write are most of what either does",
    tried: "what the callbacks of one round send leaves at its end (1.6 times as many messages)",
  },
  {
    workloads: ECHO_ONE_BY_ONE,
    target: "*/C limit",
    limit:
      "both cores are saturated, the load generator's as well, so neither can be much faster than the other: the limit takes 1,660 ns of its core for a message of 512 B, nearly all in the kernel, ours 1,720 to 1,850. The 60 to 190 ns are the turn, the batch and the handler, for a message or two each time",
    tried: "copying and unmasking in one pass of vectors in C (4,555 → 2,652 instructions on Node)",
  },
  {
    workloads: ["echo-16k"],
    target: "*/C limit",
    limit:
      "memory: both copy and unmask each byte once, and the kernel twice more; ours leaves two further arenas in the cache",
    tried:
      "copying and unmasking in one pass of vectors in C (0.84 → 0.92); memory that is used again for messages that reads cut off (2 %)",
  },
  {
    workloads: ["codec"],
    target: "*/sockudo-ws",
    figures: ["sendNs"],
    limit:
      "strings: a text of JavaScript has to be read character by character, 14 calls of `charCodeAt` are 8 to 14 ns a message, where theirs copies 14 bytes. Masking keys are from a CSPRNG (RFC 6455 §5.3), which costs 0.6 to 3 ns; theirs are not",
    tried:
      "encoding and masking in one pass (31/13/20 → 17/7/15 ns on Node, Bun and Deno); keys 4,096 at a time (5.7 → 0.8 ns), and signed, which V8 keeps as numbers (Node 36 → 26 ns in half of the starts); encodeInto for short texts, and Buffer's latin1Write, asciiWrite and utf8Write (Node 100, Bun 13, Deno 290 ns and more): slower, dropped; several texts joined and encoded at once: slower, dropped",
  },
  {
    workloads: ["codec"],
    target: "*/sockudo-ws",
    figures: ["recvNs"],
    limit:
      "ours makes a JavaScript string of each message, theirs hands out a slice of its buffer; half of Node's time is the comparison, because V8 compares parts of strings slowly",
    tried:
      "short ASCII texts as parts of one string of 256 characters (55 → 39, 43 → 22 and 55 → 30 ns on Node, Bun and Deno), of 512: 1 ns less, dropped; utf8Slice instead of TextDecoder (on Node 125 → 92, on Bun 157 → 73 ns for 300 B); String.fromCharCode with parts makes ropes, which are flattened when they are looked at: slower, dropped",
  },
  {
    workloads: ["codec"],
    target: "*/sockudo-ws",
    figures: ["echoNs"],
    limit: "both read, unmask, check and copy 14 bytes",
    tried:
      "texts of a batch are checked once instead of twice; reads that begin with the end of a message are gathered, too",
  },
  {
    workloads: ["ping-pong-parked"],
    target: "bun uring/Bun.serve",
    limit:
      "to wake up: a runtime's event loop watches the ring by an eventfd, one more descriptor, one more system call and one more pass through the runtime than a socket that the loop watches itself",
    tried:
      "POLL instead of READ on the eventfd (0.4 µs of 22), a ring without DEFER_TASKRUN (0.9, and costs 3 % of echoes), pipes and sockets instead (0.5 or nothing). Waiting in the ring before parking avoids all of that, but makes timers and other I/O of the program wait, so it is an option: the row with `waitUs`",
  },
  {
    workloads: ["ping-pong-parked"],
    target: "bun uring, waitUs 300/Bun.serve",
    limit:
      "the thread sleeps where the limit in C does, which is level with Bun.serve; what is left is 1.2 µs of JavaScript on caches that have gone cold, where Bun.serve has native code. On Node and Deno the same takes less than the limit in C",
    tried:
      "replies leave before anything else is done; a server that is warm, and one that has echoed 100,000 messages before: the same",
  },
  {
    workloads: ["ping-pong-parked"],
    target: "*/C limit",
    limit:
      "without `waitUs`: the limit in C sleeps in the ring itself, where nothing stands between the kernel and its loop. Deno takes 0.6 µs longer than Node to get to the callback that wakes us",
    tried:
      "as for Bun.serve; Deno's node:net instead of Deno.connect, whose reads are promises (10.6 → 9.9 µs); with `waitUs` 0.9 on Node and Deno, 1.15 on Bun",
  },
  {
    workloads: ["ping-pong"],
    target: "bun uring/Bun.serve",
    limit:
      "the server parks after 20 µs without a message, and a host that takes the core away for longer makes it park",
    tried: "20 µs is where waking costs more than spinning",
  },
  {
    workloads: ["ping-pong-spin"],
    target: "bun uring/Bun.serve",
    limit:
      "two passes through the kernel's TCP, which take as long for Bun.serve: the C limit spinning is at 0.70 of Bun.serve's time in some runs and at 0.5 in others, and ours within 7 % of it",
    tried: "nothing is left between the ring and the program but one call of the shim",
  },
  {
    workloads: ["ping-pong-spin"],
    target: "*/C limit",
    limit: "one call of the shim and one of the program's handler for each message",
    tried: "reached in most runs",
  },
  {
    workloads: ["recording"],
    target: "*",
    limit:
      "at full speed, 5 to 10 million messages a second, 5 % are 5 to 8 ns a message: copy and CRC-32 alone are 5 to 12, and 1.5 to 3 GB/s go through memory twice more; the file then loses records. Up to 3 million messages a second it costs no throughput (recording-3m)",
    tried:
      "copy and CRC-32 in one pass in C (Node, without the write: 0.68 to 0.9); writes of 256 KiB, 4 MiB and half of the memory; fallocate; O_DIRECT would be 6 ns, but loses what the page cache takes when a disk is slow; other checksums are slower (recording.md)",
  },
  {
    workloads: ["idle-10k", "idle-50k"],
    target: "limit",
    limit:
      "what is counted is resident memory of the process, and a connection is some ten objects of JavaScript: 840 B of Bun's heap, and about as much again in blocks that its garbage leaves behind (V8's is compacted: Node and Deno are below the target); Bun.serve, which has structures of C++ instead, needs 1.2 KB",
    tried:
      "receive buffers, decoders and batches are shared and borrowed for the time of a read, settings are not copied, lists are made when somebody waits, timers are on one wheel, metrics are counted for the server as a whole (on Bun from 4.25 to 2.05 of Bun.serve), a roster instead of Sets and nothing about the end before it comes (to 1.4)",
  },
  {
    workloads: ["tls-echo-pipe", "tls-echo-16k"],
    target: "bun uring/Bun.serve",
    limit: "OpenSSL 3.0 in the shim against BoringSSL in Bun",
    tried: "AES-GCM of Intel's library (0.81 → 1.45 at 16 KiB), encrypting and sending in pieces of 64 KiB",
  },
  {
    workloads: ["tls-echo-pipe"],
    target: "node uring/ws",
    limit:
      "where the cores are far apart, only the kernel's part gets slower, and ws is mostly user space: 8.2 to 9.1 near, 5.7 far",
    tried: "copies in C (8.7 → 9.1)",
  },
  {
    workloads: ["deflate-dedicated", "deflate-shared"],
    target: "bun uring/Bun.serve",
    limit: "compressing itself is nearly all of it on either side",
    tried: "zlib, zlib-ng, ISA-L (0.75); an encoder of our own (1.3): deflate_library.md",
  },
  {
    workloads: ECHO_ONE_BY_ONE,
    target: "bun uring/Bun.serve",
    limit:
      "both are mostly kernel, and the load generator's core is saturated as well: the limit in C is at 1.3 to 1.4 of Bun.serve",
    tried: "as for the C limit",
  },
  {
    workloads: ["text-json"],
    target: "node uring/ws",
    limit: "making a string of 300 B is 92 of 125 ns a message, whoever does it",
    tried:
      "utf8Slice instead of TextDecoder (125 ns); latin1Slice (77) would have to know that a text is ASCII",
  },
  {
    workloads: ["deflate-dedicated", "deflate-shared"],
    target: "node uring/ws",
    limit: "compressing itself: 4,000 to 4,800 ns of a core a message",
    tried: "an encoder of our own instead of zlib's: deflate_library.md",
  },
];
