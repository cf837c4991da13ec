/*
 * One input of the ABI's fuzzer while it is played: rings, peers, and what it has brought about. Its steps are in abi_endpoint.c, abi_turn.c
 * and abi_misuse.c; abi_fuzz.c chooses among them.
 */
#ifndef RINGWIRE_FUZZ_ABI_SESSION_H
#define RINGWIRE_FUZZ_ABI_SESSION_H

#include "model.h"
#include "peer.h"

#include <sys/resource.h>

#define RINGS 2u
#define OWN 3u
#define OWN_TLS 2u
/* Of those who expect TLS: another may take the port of one that is gone, but not one who expects none. */
#define TLS_HOST "127.0.0.3"
#define OPERATIONS_MAX 400
#define ROUNDS_MAX 400

enum end { END_IN_ORDER, END_ABORT, END_RING_CLOSE, END_THREAD };

struct session {
	struct input input;
	struct model models[RINGS];
	bool is_open[RINGS];
	int wake_fds[RINGS];
	struct address addresses[ADDRESSES_MAX]; /* of listeners, also of those that are gone */
	uint32_t address_count;
	int listeners[OWN];        /* the harness's own: TCP, abstract Unix, TCP for those who speak TLS */
	struct address listener_addresses[OWN];
	struct rlimit files;
	bool is_short_of_files;
	uint32_t pauses;           /* once: it costs the time of a hundred inputs */
	uint32_t contexts[2];      /* of TLS, by role; 0: not yet */
	bool is_tls_old;           /* TLS 1.2 */
	bool has_failed;           /* failures were injected: what is told may lack something */
	enum end end;
};

/* ── abi_endpoint.c: listening, connecting, addresses ── */

void limit_files(struct session *session);
void free_files(struct session *session);
void do_listen(struct session *session, struct model *model);
void open_own_listener(struct session *session, uint32_t which);
void do_connect(struct session *session, struct model *model);
void do_wild_endpoint(struct session *session, struct model *model);
int32_t call_address(uint32_t id, uint32_t a, uint32_t b);

/* ── abi_turn.c: turns, sleeping and waking ── */

void do_turn(struct session *session, struct model *model);
void turn(struct model *model);
void do_wake_open(struct session *session, struct model *model);
void do_park(struct session *session, struct model *model);

/* ── abi_misuse.c: calls and records that nobody should make ── */

void do_bad_call(struct session *session, struct model *model);
void do_garbage(struct session *session, struct model *model);

#endif
