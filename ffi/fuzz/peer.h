/*
 * The other side of the wire in the harness: plain non-blocking sockets in the same thread, so that an input always
 * does the same.
 */
#ifndef RINGWIRE_FUZZ_PEER_H
#define RINGWIRE_FUZZ_PEER_H

#include "secure.h"
#include "stream.h"

#include <sys/socket.h>

#define PEERS_MAX 32u
#define ADDRESSES_MAX 16u

struct address {
	struct sockaddr_storage storage;
	socklen_t bytes;
	bool is_tls;
};

struct peer {
	int fd;                   /* -1: free */
	bool is_shut;             /* sends no more */
	bool has_seen_end;        /* read to the end in order */
	bool is_wild;             /* speaks no TLS to one who does: what comes is not looked at */
	SSL *ssl;                 /* or NULL */
	uint32_t pending;         /* bytes that OpenSSL has begun to send */
	uint8_t stream;
	struct reader reader;
};

void peers_clear(void);
void peers_close(void);
/* Starts connecting; NULL when there are too many or the address refuses. */
struct peer *peer_connect(const struct address *address);
/* Takes one connection from a listening descriptor, if there is one. */
struct peer *peer_accept(int listener);
/* What it says from now on is TLS, as the server or as the client. */
void peer_secure(struct peer *peer, bool is_server);
struct peer *peer_pick(uint32_t n);
/* Sends up to `bytes` of its stream, what the socket takes of it. */
void peer_send(struct peer *peer, uint32_t bytes);
/* Reads and checks what is there, up to `bytes`. Returns false when there was nothing. */
bool peer_receive(struct peer *peer, uint32_t bytes);
void peer_shut(struct peer *peer);
void peer_close(struct peer *peer, bool is_reset);
/* Who has read to the end has all that was promised. */
void peers_require_whole(void);
uint32_t peers_receive_all(void);

#endif
