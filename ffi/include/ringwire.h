/*
 * ringwire.h: the whole surface between JavaScript and C.
 *
 * JavaScript allocates one block of memory and keeps it alive; both sides read and write records in
 * it, and they meet in one call per turn. Both sides run on the same thread and never at the same
 * time, so the block needs no barriers.
 *
 *   block:  control (4 KiB) | commands | events | queued bytes | receive arena | plain arena | send arena
 *
 * The block is aligned to 8 bytes: that is all a JavaScript engine promises of an ArrayBuffer.
 *
 * A turn (rw_turn) takes every command record, submits, reaps, and appends event records. When a
 * turn returns, the send arena is free again: what the kernel did not take was copied into a
 * per-connection queue owned by C. Bytes in the receive and plain arenas stay until the turn that is called
 * with RW_TURN_RECYCLE.
 *
 * Every function returns >= 0 or -errno, validates every handle, offset and length it is given, and
 * takes only 32-bit integers (pointers: rw_ring_open, the *_at kernels, rw_copy_crc32, the codecs and TLS contexts), so that every FFI can
 * use its fast path. A ring belongs to the thread that opened it; when that thread ends without closing it,
 * its sockets are closed.
 */
#ifndef RINGWIRE_H
#define RINGWIRE_H

#include <stdint.h>

#define RW_ABI_VERSION 6u
#define RW_API __attribute__((visibility("default")))

/* ── control page: u32 fields, by index ─────────────────────────────────────────────────────── */

enum {
	/* Written by JavaScript before rw_ring_open. Offsets are bytes from the start of the block. */
	RW_FIELD_ABI_VERSION = 0,
	RW_FIELD_BLOCK_BYTES = 1,
	RW_FIELD_COMMAND_OFFSET = 2,      /* multiple of 64 */
	RW_FIELD_COMMAND_COUNT = 3,       /* capacity, records of 16 bytes, 16 to 65,536 */
	RW_FIELD_EVENT_OFFSET = 4,        /* multiple of 64 */
	RW_FIELD_EVENT_COUNT = 5,         /* capacity, records of 16 bytes, 16 to 65,536 */
	RW_FIELD_RECEIVE_OFFSET = 6,      /* multiple of 4,096 from the start of the block */
	RW_FIELD_RECEIVE_BUFFER_BYTES = 7,/* multiple of 4,096 */
	RW_FIELD_RECEIVE_BUFFER_COUNT = 8,/* power of two, 2 to 32,768. C cuts them smaller where one receive takes a
	                                   * whole buffer; what counts for the caller is the arena as a whole */
	RW_FIELD_SEND_OFFSET = 9,         /* multiple of 64 */
	RW_FIELD_SEND_BYTES = 10,
	RW_FIELD_MAX_CONNECTIONS = 11,    /* 1 to 1,048,575 */
	RW_FIELD_MAX_QUEUED_BYTES = 12,   /* per connection, in C's queue; beyond it: -ENOBUFS, aborted */
	RW_FIELD_MAX_QUEUED_TOTAL_KIB = 13, /* over all connections of the ring */
	RW_FIELD_SUBMISSION_ENTRIES = 14, /* power of two, 8 to 32,768 */
	RW_FIELD_DISABLED_FEATURES = 15,  /* RW_FEATURE_* bits not to use, for tests and comparisons */

	/* Written by C in rw_ring_open. */
	RW_FIELD_FEATURES = 16,           /* RW_FEATURE_* bits in use */
	RW_FIELD_KERNEL_MAJOR = 17,
	RW_FIELD_KERNEL_MINOR = 18,
	RW_FIELD_TEXT_BYTES = 19,         /* length of the UTF-8 text at RW_TEXT_OFFSET */

	/* Written by C in rw_listen and rw_connect. */
	RW_FIELD_HANDLE = 20,

	/* Written by JavaScript before rw_ring_open. */
	RW_FIELD_QUEUED_OFFSET = 21,      /* multiple of 4: MAX_CONNECTIONS u32, by slot: bytes in C's queue */

	/* Written by JavaScript before rw_ring_open: where TLS puts what it has decrypted. */
	RW_FIELD_PLAIN_OFFSET = 22,       /* multiple of 64 */
	RW_FIELD_PLAIN_BYTES = 23,        /* 65,536 or more; as much as the receive arena is sensible. A connection whose bytes
	                                   * find no room there waits for the next RECYCLE. 0: no TLS on this ring */

	/* Written by JavaScript before rw_ring_open: RW_FEATURE_* bits that are off unless they are asked for: RECEIVE_STAMPS. */
	RW_FIELD_WANTED_FEATURES = 24,

	/* Written by C with RW_EVENT_STAMP: CLOCK_MONOTONIC when the last one was made, nanoseconds. */
	RW_FIELD_CLOCK_LOW = 25,
	RW_FIELD_CLOCK_HIGH = 26,

	/* Written by JavaScript before rw_turn and rw_copy, set to 0 by them: how many struct rw_copy there are. */
	RW_FIELD_COPY_COUNT = 27,

	/* Written by C, kept current: counters for people (wrap at 2^32). */
	RW_FIELD_STAT_TURNS = 32,
	RW_FIELD_STAT_ENTERS = 33,        /* io_uring_enter calls */
	RW_FIELD_STAT_SHORT_SENDS = 34,   /* sends the kernel did not take whole */
	RW_FIELD_STAT_NO_BUFFERS = 35,    /* receives that ended with ENOBUFS and were armed again */
	RW_FIELD_STAT_CONNECTIONS = 36,   /* open now */
	RW_FIELD_STAT_PARKS = 37,
	RW_FIELD_STAT_HANDSHAKES = 38,    /* TLS handshakes completed, by either side */
	RW_FIELD_STAT_RESUMPTIONS = 39,   /* of those, resumed */
};

#define RW_CONTROL_BYTES 4096u
#define RW_ENDPOINT_OFFSET 1024u  /* struct rw_endpoint, input of rw_listen and rw_connect */
#define RW_TEXT_OFFSET 2048u      /* text out: reasons, addresses, the wake-up socket's name */
#define RW_TEXT_MAX_BYTES 1024u

enum {
	RW_FEATURE_DEFER_TASKRUN = 1 << 0,      /* 6.1 */
	RW_FEATURE_MULTISHOT_ACCEPT = 1 << 1,   /* 5.19 */
	RW_FEATURE_MULTISHOT_RECEIVE = 1 << 2,  /* 6.0 */
	RW_FEATURE_BUFFER_INCREMENTAL = 1 << 3, /* 6.12: one buffer serves many small receives */
	RW_FEATURE_RECEIVE_BUNDLE = 1 << 4,     /* 6.10: one completion fills several buffers */
	/* 1 << 5 is free: zero-copy sending cost 1.6 to 2.7 times the CPU of a copy on loopback, so it is not built. */
	RW_FEATURE_PARKING = 1 << 6,            /* the eventfd chain works (see rw_wake_open) */
	/* Asked for with WANTED_FEATURES: RW_EVENT_STAMP. Each receive then fills a buffer of its own, so incremental buffers and bundles
	 * are not used. Not together with TLS contexts that have RW_TLS_KERNEL_RECEIVE: such receives get records of any kind. */
	RW_FEATURE_RECEIVE_STAMPS = 1 << 7,
};

/* ── handles ──────────────────────────────────────────────────────────────────────────────────
 * A connection or listener: slot in the low 20 bits, generation in the high 12; never 0. */
#define RW_HANDLE_SLOT_BITS 20u

/* ── queued bytes ─────────────────────────────────────────────────────────────────────────────
 * The word of a connection at RW_FIELD_QUEUED_OFFSET is true after every turn, whatever room the event array
 * had: a caller that sends in a loop and turns without RW_TURN_RECYCLE sees its limits there. RW_QUEUED_GONE:
 * the connection takes no more bytes, its CLOSED follows. */
#define RW_QUEUED_GONE UINT32_MAX

/* ── records ──────────────────────────────────────────────────────────────────────────────────*/

struct rw_command { uint32_t op; uint32_t handle; uint32_t a; uint32_t b; };
struct rw_event { uint32_t kind; uint32_t handle; uint32_t a; uint32_t b; };

enum rw_command_op {
	/* a = offset in the block (inside the send arena), b = bytes. All sends of one turn to one
	 * connection leave as one system operation, in order. */
	RW_COMMAND_SEND = 1,
	/* a = RW_CLOSE_FLUSH: what is queued is sent, then FIN; received bytes are dropped from now on. The peer has a second to
	 * send its own FIN: closing on bytes that are still to come would reset the connection, and ours would be lost.
	 * a = RW_CLOSE_ABORT: at once, RST. May follow a FLUSH. Ends with RW_EVENT_CLOSED. */
	RW_COMMAND_CLOSE = 2,
	/* Half-close: FIN once everything sent so far has left. Receiving goes on. */
	RW_COMMAND_END = 3,
	/* Stop / start receiving. Bytes already received when PAUSE is consumed are still delivered. */
	RW_COMMAND_PAUSE = 4,
	RW_COMMAND_RESUME = 5,
};
enum { RW_CLOSE_FLUSH = 0, RW_CLOSE_ABORT = 1 };

enum rw_event_kind {
	RW_EVENT_ACCEPTED = 1,       /* handle = the new connection, a = listener handle. With TLS: after the handshake */
	RW_EVENT_CONNECTED = 2,      /* handle. With TLS: after the handshake */
	RW_EVENT_RECEIVED = 3,       /* handle, a = offset in the block, b = bytes (> 0) */
	RW_EVENT_ENDED = 4,          /* handle: the peer sent FIN (TLS: close_notify); nothing more will be received */
	RW_EVENT_QUEUED = 5,         /* handle, a = bytes in C's queue then (0 = all handed to the kernel). A notice that
	                              * the number has changed; what it is now stands in the table of queued bytes */
	RW_EVENT_CLOSED = 6,         /* handle, a = errno, RW_TLS_ERROR_* with its detail in b, or 0; the last event of a connection; the handle
	                              * is dead. Also the outcome of a failed connect. A connection that
	                              * fails (ECONNRESET, EPIPE …) closes by itself with this event. */
	RW_EVENT_ACCEPT_FAILED = 7,  /* handle = listener, a = errno (EMFILE …); accepting is tried again
	                              * after 100 ms by C; the listener stays open. ENOSPC: the connection table
	                              * is full (b: 0), or there are b TLS handshakes under way, the most for a listener; the newcomer
	                              * was closed, accepting goes on at once. RW_TLS_ERROR_*, with its
	                              * detail in b: a handshake failed, that newcomer is gone, nobody else is disturbed */
	RW_EVENT_STAMP = 8,          /* handle, a and b = low and high half of CLOCK_MONOTONIC, nanoseconds: when the kernel received the last
	                              * packet of what RECEIVED tells next. Not for Unix sockets */
};

/* Fills bytes of the send arena from anywhere else in the block, XORed with a mask whose lowest byte applies to the first: a message
 * is forwarded without JavaScript touching its bytes. Records stand at the end of the send arena, the first one last, from a
 * multiple of 16 bytes of it down. A turn makes all copies before anything else, so `from` may lie in a receive arena. */
struct rw_copy { uint32_t from; uint32_t to; uint32_t bytes; uint32_t key; };

/* Endpoint of rw_listen and rw_connect, written by JavaScript at RW_ENDPOINT_OFFSET. */
enum { RW_FAMILY_IPV4 = 4, RW_FAMILY_IPV6 = 6, RW_FAMILY_UNIX = 1 };
enum {
	RW_ENDPOINT_REUSE_PORT = 1 << 0,
	RW_ENDPOINT_IPV6_ONLY = 1 << 1,
	RW_ENDPOINT_NO_DELAY = 1 << 2,      /* TCP_NODELAY; set on a listener it is inherited */
	RW_ENDPOINT_QUICK_ACK = 1 << 3,
	RW_ENDPOINT_KEEP_ALIVE = 1 << 4,    /* SO_KEEPALIVE with keep_alive_seconds */
};
struct rw_endpoint {
	uint32_t family;
	uint32_t port;                      /* 0 to 65,535, host order; 0 on listen: any */
	uint32_t flags;
	uint32_t backlog;                   /* listen only */
	uint32_t send_buffer_bytes;         /* SO_SNDBUF, 0 = the kernel's own choice */
	uint32_t receive_buffer_bytes;      /* SO_RCVBUF, 0 = the kernel's own choice */
	uint32_t keep_alive_seconds;
	uint32_t busy_poll_us;              /* waits of the ring poll network cards for so long, 0 = not; the longest that any endpoint asks for */
	uint32_t host_bytes;                /* length of host */
	uint32_t local_address_bytes;       /* connect only, length of local_address, 0 = any */
	uint32_t interface_bytes;           /* SO_BINDTODEVICE, 0 = none */
	uint32_t tls_context;               /* of rw_tls_open, 0 = no TLS. Its role must fit: server to listen, client to connect */
	char host[256];                     /* IP literal ("127.0.0.1", "::1"), or a Unix path of up to 107
	                                     * bytes (a leading NUL: abstract) */
	char local_address[64];             /* IP literal */
	char interface[16];
	uint32_t tls_timeout_ms;            /* for the handshake, from TCP's connection on; 1 to 2,147,483,647 */
	uint32_t tls_name_bytes;            /* connect only: length of tls_name */
	char tls_name[256];                 /* DNS name, sent (SNI) and verified; or IP literal, verified only */
};

/* ── rings ────────────────────────────────────────────────────────────────────────────────────*/

RW_API int32_t rw_abi_version(void);

/* Opens a ring over a block whose control page is filled in. Returns a ring id (> 0), or -errno with
 * a one-line reason at RW_TEXT_OFFSET ("io_uring forbidden by seccomp", "kernel 5.15 lacks
 * provided-buffer rings (5.19)"; -EMFILE: "this process has 64 io_uring loops already, which is the limit").
 * The text is written on success too: what the kernel gives
 * ("kernel 6.18, multishot, incremental buffers"). The caller keeps the block alive until
 * rw_ring_close has returned. */
RW_API int32_t rw_ring_open(void *block, uint32_t block_bytes);

/* Cancels and reaps everything in flight, aborts every connection (RST), closes every socket, forgets the block.
 * Takes a few milliseconds (the limit is 200). No events are told. Returns 0. */
RW_API int32_t rw_ring_close(uint32_t ring);

enum {
	RW_TURN_RECYCLE = 1 << 0, /* every event so far was handled: events start at record 0 again and
	                           * their receive buffers go back to the kernel. Without it, new events
	                           * are appended behind the old ones (a flush from inside a handler). */
	RW_TURN_PARK = 1 << 1,    /* if there is nothing to report, arm the wake-up chain. A return of the
	                           * old event count (0 with RECYCLE) then means: parked, a byte will
	                           * arrive on the wake-up socket. Now and then a byte comes for nothing.
	                           * -ENOTCONN: no wake-up socket is open yet; -ENOTSUP: no RW_FEATURE_PARKING.
	                           * The rest of the turn is done in both cases; PARK together with wait_us
	                           * waits first. */
};
/* One turn. command_count records are consumed, always all of them. wait_us: 0 = never block (auto,
 * spin, manual); > 0 = block in the kernel for at most that long if there is nothing to report;
 * -1 = block until there is (`run`). A signal ends the wait early, with no new events. Returns the number of event records now in the event array, or
 * -errno (-EINVAL: no such ring, unknown flag; -EXDEV: not the thread that opened it; -EBADMSG: a garbage command
 * was met: it was skipped, all others done, events there may be are told with the next turn that is not RECYCLE;
 * -ENOMEM and others: the kernel takes nothing any more, close the ring). Commands for a handle that is
 * closed meanwhile are dropped without a word; so are sends after END or CLOSE. */
RW_API int32_t rw_turn(uint32_t ring, uint32_t command_count, uint32_t flags, int32_t wait_us);

/* Makes the copies now, for a caller that is about to change what they take. Returns 0, or -errno (-EBADMSG: a garbage record was
 * met and skipped). */
RW_API int32_t rw_copy(uint32_t ring);

/* Reads struct rw_endpoint. Returns 0 with the new handle in RW_FIELD_HANDLE, or -errno (EADDRINUSE,
 * EACCES, EINVAL; ENOSPC: the connection table is full …). Both take effect at once, also while parked. The
 * outcome of a connect comes as RW_EVENT_CONNECTED or RW_EVENT_CLOSED. Sends may be recorded before CONNECTED; they wait.
 * A Unix listener replaces a socket file on which nobody accepts, and removes its own. */
RW_API int32_t rw_listen(uint32_t ring);
RW_API int32_t rw_connect(uint32_t ring);
/* Stops accepting and closes the listening socket at once; its connections live on. */
RW_API int32_t rw_unlisten(uint32_t ring, uint32_t handle);

/* Writes "address port" ("127.0.0.1 8080", "::1 8080", "/path" for Unix; an unnamed Unix socket: nothing) at RW_TEXT_OFFSET
 * and returns its length; -EBADF for a handle that is closed. */
enum { RW_ADDRESS_LOCAL = 0, RW_ADDRESS_PEER = 1 };
RW_API int32_t rw_address(uint32_t ring, uint32_t handle, uint32_t which);

/* ── TLS ──────────────────────────────────────────────────────────────────────────────────────
 * OpenSSL in here, out of sight: a connection with a context speaks TLS, and everything said above about connections, sends and
 * receives is about what is inside of it. Handshakes are driven by the ring, a few a turn. END and CLOSE with FLUSH send
 * close_notify first; FIN without it is RW_TLS_ERROR_TRUNCATED. After the handshake the kernel does the records where it can (kTLS).
 *
 * A context belongs to the thread that opened it and is freed when that thread ends; what connections and listeners need of it lives as
 * long as they do. Handles are made like a codec's. */
#define RW_TLS_CONTEXT_LIMIT 4095u /* open contexts, over all threads; beyond it: -EMFILE */
enum { RW_TLS_CLIENT = 0, RW_TLS_SERVER = 1 };

/* A configuration is a row of records: u32 kind, u32 bytes, the bytes, and up to three more so that the next begins at a
 * multiple of 4. Unknown kinds, wrong lengths and kinds given twice that may not be: -EINVAL. */
enum rw_tls_record {
	RW_TLS_FLAGS = 1,         /* u32, RW_TLS_VERIFY … */
	RW_TLS_VERSIONS = 2,      /* u32 lowest, u32 highest: 0x0303 or 0x0304 */
	RW_TLS_CERTIFICATE = 3,   /* PEM: the certificate, then its chain */
	RW_TLS_KEY = 4,           /* PEM */
	RW_TLS_PASSPHRASE = 5,    /* of the key */
	RW_TLS_NAME = 6,          /* server, repeatable: CERTIFICATE, KEY and PASSPHRASE behind it are for this server name (SNI);
	                           * "*.example.org" for one label */
	RW_TLS_AUTHORITY = 7,     /* PEM, repeatable: trusted besides the system's */
	RW_TLS_ALPN = 8,          /* protocol names in order of preference, each behind its length (RFC 7301) */
	RW_TLS_CIPHERS = 9,       /* OpenSSL's list, TLS 1.2 */
	RW_TLS_CIPHER_SUITES = 10,/* OpenSSL's list, TLS 1.3 */
	RW_TLS_PIN = 11,          /* 32 bytes, repeatable: SHA-256 of the SubjectPublicKeyInfo of a certificate in the verified chain
	                           * (the peer's own when nothing is verified); one must match (RFC 7469 section 2.4) */
	RW_TLS_KEY_LOG = 12,      /* path of a file that session secrets are appended to (SSLKEYLOGFILE) */
};
enum {
	RW_TLS_VERIFY = 1 << 0,        /* client: the server's chain and name. Server: a client's certificate is asked for and verified */
	RW_TLS_REQUIRE = 1 << 1,       /* server, with VERIFY: a client without certificate is refused */
	RW_TLS_SYSTEM_ROOTS = 1 << 2,  /* trust what the system trusts; -ENOENT when no such file is found */
	RW_TLS_RESUME = 1 << 3,        /* server: tickets. Client: sessions are kept by name and port, and used again */
	RW_TLS_KERNEL_SEND = 1 << 4,   /* kTLS where the kernel has it */
	RW_TLS_KERNEL_RECEIVE = 1 << 5,
};
/* Both return a handle or 0, or -errno with a one-line reason (never a secret) in text, as long as it fits:
 * -EINVAL for what is wrong in the configuration, -ENOENT no system roots, -EMFILE, -ENOMEM.
 * rw_tls_update replaces what a context says for handshakes that begin from now on; its role, sessions and ticket keys stay. */
RW_API int32_t rw_tls_open(uint32_t role, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes);
RW_API int32_t rw_tls_update(uint32_t context, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes);
RW_API int32_t rw_tls_close(uint32_t context);

/* Writes which OpenSSL is in here ("OpenSSL 3.0.19 27 Jan 2026") and returns its length; -EINVAL when it does not fit. */
RW_API int32_t rw_tls_version(void *text, uint32_t text_bytes);

/* What a connection has agreed on, as lines at RW_TEXT_OFFSET: "version TLSv1.3", "cipher TLS_AES_128_GCM_SHA256" (IANA's name), "alpn http/1.1"
 * ("alpn " for none), "resumed 0", "ktls_tx 0", "ktls_rx 0", "name example.org" (what SNI asked for). Returns their length; -ENOTCONN
 * before the handshake is done or without TLS. */
RW_API int32_t rw_tls_describe(uint32_t ring, uint32_t handle);
/* The peer's own certificate as DER. Returns its length, and writes it if capacity allows; 0: it has shown none. */
RW_API int32_t rw_tls_peer_certificate(uint32_t ring, uint32_t handle, void *out, uint32_t capacity);

/* Why a TLS connection or handshake ended, in `a` of CLOSED and ACCEPT_FAILED; above every errno. */
enum rw_tls_error {
	RW_TLS_ERROR_EXPIRED = 0x1001,        /* detail of these: X509_V_ERR_* */
	RW_TLS_ERROR_NOT_YET_VALID = 0x1002,
	RW_TLS_ERROR_SELF_SIGNED = 0x1003,    /* by itself, or by a root nobody trusts */
	RW_TLS_ERROR_UNKNOWN_ISSUER = 0x1004,
	RW_TLS_ERROR_HOST_MISMATCH = 0x1005,
	RW_TLS_ERROR_CERTIFICATE = 0x1006,    /* any other fault of a certificate */
	RW_TLS_ERROR_PIN_MISMATCH = 0x1007,
	RW_TLS_ERROR_NO_CERTIFICATE = 0x1008, /* the client has shown none */
	RW_TLS_ERROR_VERSION = 0x1009,        /* no common version */
	RW_TLS_ERROR_CIPHER = 0x100a,         /* no common cipher */
	RW_TLS_ERROR_ALPN = 0x100b,           /* no common protocol */
	RW_TLS_ERROR_ALERT = 0x100c,          /* the peer has sent a fatal alert; detail: its number (RFC 8446 section 6) */
	RW_TLS_ERROR_NOT_TLS = 0x100d,        /* the peer speaks something else */
	RW_TLS_ERROR_PROTOCOL = 0x100e,       /* anything else against the protocol: bad MAC, renegotiation … */
	RW_TLS_ERROR_TRUNCATED = 0x100f,      /* FIN without close_notify */
	RW_TLS_ERROR_TIMEOUT = 0x1010,        /* the handshake took too long */
	RW_TLS_ERROR_KEY_UPDATE = 0x1011,     /* the peer changes keys, and this kernel's kTLS cannot */
};

/* ── waking a sleeping runtime ────────────────────────────────────────────────────────────────
 * A byte arrives on the wake-up socket when a parked ring has something to do.
 * RW_WAKE_DESCRIPTOR: returns the file descriptor of the runtime's end (Node); it is the runtime's to close.
 * RW_WAKE_ABSTRACT: listens on an abstract Unix name, which it writes at RW_TEXT_OFFSET (leading NUL
 * included) and returns its length; the runtime connects, then calls rw_wake_accept, which takes the
 * one connection that comes from this very process (SO_PEERCRED) and closes the listener. Returns
 * -EAGAIN while no such connection has arrived. Once per ring: -EALREADY after that. */
enum { RW_WAKE_DESCRIPTOR = 0, RW_WAKE_ABSTRACT = 1 };
RW_API int32_t rw_wake_open(uint32_t ring, uint32_t mode);
RW_API int32_t rw_wake_accept(uint32_t ring);

/* ── kernels ──────────────────────────────────────────────────────────────────────────────────
 * SIMD with run-time CPU dispatch. key: the four mask bytes as they stand on the wire, read as a
 * little-endian u32, already rotated so that its lowest byte applies to the first byte given.
 * rw_unmask and rw_utf8 work inside the block of a ring; the _at forms on any buffer. */
RW_API int32_t rw_unmask(uint32_t ring, uint32_t offset, uint32_t bytes, uint32_t key);
RW_API int32_t rw_unmask_at(void *data, uint32_t bytes, uint32_t key);
/* Returns 0 = valid and complete; 1 to 3 = valid so far, the last 1 to 3 bytes begin a sequence that is
 * cut off; -EILSEQ = not UTF-8 (and no continuation can make it so). */
RW_API int32_t rw_utf8(uint32_t ring, uint32_t offset, uint32_t bytes);
RW_API int32_t rw_utf8_at(const void *data, uint32_t bytes);
/* Copies `bytes` bytes from in + in_offset to out + out_offset, and puts their CRC-32 (as zlib and gzip have it) at out + sum_offset, four
 * bytes, the lowest first. Where both places are the same, nothing is copied; else they must not overlap. The caller answers for
 * what it passes lying inside of its memory, as with codecs. Returns 0; -EINVAL for NULL. */
RW_API int32_t rw_copy_crc32(const void *in, uint32_t in_offset, uint32_t bytes, void *out, uint32_t out_offset,
			     uint32_t sum_offset);
/* Name of the instruction set in use: 0 scalar, 1 SSE2, 2 AVX2, 3 AVX-512, 4 NEON. rw_kernel_select
 * forces one (tests, benches); -ENOTSUP when the CPU lacks it. */
RW_API int32_t rw_kernel_set(void);
RW_API int32_t rw_kernel_select(uint32_t set);

/* ── codecs ───────────────────────────────────────────────────────────────────────────────────
 * DEFLATE (RFC 1951) of one message after the other, each flushed to a byte boundary, as permessage-deflate wants it; what a
 * frame is, C does not learn. A codec needs no ring. It belongs to the thread that opened it and is freed when that thread ends. The
 * handles are made like those of connections, but are another kind: slot in the low 20 bits, generation in the high 11; never 0.
 *
 * Both calls take bytes from `in + in_offset` and put them at `out + out_offset`. The caller answers for in_offset + in_bytes and
 * out_offset + out_capacity lying inside of what it passes: C knows no more of foreign memory than its address. */
#define RW_CODEC_LIMIT 1048575u /* open codecs, over all threads; beyond it: -EMFILE */

enum {
	/* No reference to earlier messages, none from later ones (no context takeover): one codec may serve any number of
	 * connections. */
	RW_CODEC_FRESH = 1 << 0,
	/* rw_inflate: goes on with the message whose last call gave -ENOBUFS. Same `in`, same in_bytes. */
	RW_CODEC_MORE = 1 << 1,
};

/* window_bits 8 to 15, level 1 to 9, memory_level 1 to 9. Returns a handle, -EINVAL, -EMFILE or -ENOMEM. What it takes is taken
 * when it is first used. */
RW_API int32_t rw_deflate_open(uint32_t window_bits, uint32_t level, uint32_t memory_level);
RW_API int32_t rw_inflate_open(uint32_t window_bits);
/* Frees it. -EINVAL: no such codec; -EXDEV: not the thread that opened it. */
RW_API int32_t rw_codec_close(uint32_t codec);
/* Memory a codec holds now, in bytes. */
RW_API int32_t rw_codec_bytes(uint32_t codec);

/* Room that any message needs when it is deflated. in_bytes of at most RW_CODEC_MAX_BYTES. */
#define RW_CODEC_MAX_BYTES (1u << 30)
#define RW_DEFLATE_BOUND(bytes) ((bytes) + ((bytes) >> 3) + ((bytes) >> 6) + 64u)

/* Deflates one message (in_bytes > 0) and returns its size without the trailing 00 00 FF FF (RFC 7692 §7.2.1). -ENOBUFS, with nothing
 * done, when out_capacity is below RW_DEFLATE_BOUND(in_bytes). */
RW_API int32_t rw_deflate(uint32_t codec, const void *in, uint32_t in_offset, uint32_t in_bytes, void *out,
			  uint32_t out_offset, uint32_t out_capacity, uint32_t flags);
/* Inflates one message; the 00 00 FF FF is supplied here. Returns how many bytes it has put at out. -ENOBUFS: it has put
 * out_capacity bytes there, and there is at least one more; MORE goes on, any other call of the same FRESH codec forgets the
 * message. -EILSEQ: no DEFLATE stream, a reference to before the window, or cut off; a codec without FRESH is of no more use. */
RW_API int32_t rw_inflate(uint32_t codec, const void *in, uint32_t in_offset, uint32_t in_bytes, void *out,
			  uint32_t out_offset, uint32_t out_capacity, uint32_t flags);

#endif
