/*
 * Sessions that a client keeps to be resumed: two for each of 256 names, the least used forgotten first. Connecting is rare beside
 * everything else, so a list will do.
 */
#include "tls_context.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 256u
#define SESSIONS_PER_NAME 2u

struct tls_cached {
	struct tls_cached *next;
	SSL_SESSION *sessions[SESSIONS_PER_NAME]; /* the newest first */
	uint32_t port;
	char name[];
};

static void forget(struct tls_cached *cached)
{
	for (uint32_t i = 0; i < SESSIONS_PER_NAME; i++)
		SSL_SESSION_free(cached->sessions[i]);
	free(cached);
}

/* Takes it off the list. */
static struct tls_cached *unlink_cached(struct tls_cache *cache, const char *name, uint32_t port)
{
	struct tls_cached **link = &cache->first, *cached;

	while ((cached = *link) != NULL && (cached->port != port || strcmp(cached->name, name) != 0))
		link = &cached->next;
	if (cached) {
		*link = cached->next;
		cache->count--;
	}
	return cached;
}

static void put_first(struct tls_cache *cache, struct tls_cached *cached)
{
	cached->next = cache->first;
	cache->first = cached;
	cache->count++;
}

static void drop_last(struct tls_cache *cache)
{
	struct tls_cached **link = &cache->first;

	while ((*link)->next)
		link = &(*link)->next;
	forget(*link);
	*link = NULL;
	cache->count--;
}

void tls_cache_put(struct tls_cache *cache, const char *name, uint32_t port, SSL_SESSION *session)
{
	struct tls_cached *cached = unlink_cached(cache, name, port);

	if (!cached) {
		cached = calloc(1, sizeof *cached + strlen(name) + 1);
		if (!cached) {
			SSL_SESSION_free(session);
			return;
		}
		cached->port = port;
		strcpy(cached->name, name);
	}
	SSL_SESSION_free(cached->sessions[SESSIONS_PER_NAME - 1]);
	memmove(cached->sessions + 1, cached->sessions, (SESSIONS_PER_NAME - 1) * sizeof *cached->sessions);
	cached->sessions[0] = session;
	put_first(cache, cached);
	if (cache->count > NAMES_MAX)
		drop_last(cache);
}

static bool is_usable(const SSL_SESSION *session)
{
	return SSL_SESSION_is_resumable(session) == 1 &&
	       time(NULL) - SSL_SESSION_get_time(session) < SSL_SESSION_get_timeout(session);
}

SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *name, uint32_t port)
{
	struct tls_cached *cached = unlink_cached(cache, name, port);
	SSL_SESSION *session = NULL;
	uint32_t left = 0;

	for (uint32_t i = 0; cached && i < SESSIONS_PER_NAME; i++) {
		SSL_SESSION *kept = cached->sessions[i];

		cached->sessions[i] = NULL;
		if (!kept)
			continue;
		if (!is_usable(kept)) {
			SSL_SESSION_free(kept);
			continue;
		}
		if (!session) {
			session = kept;
			/* A ticket of TLS 1.3 is used once, lest connections can be told to belong together (RFC 8446 appendix C.4). */
			if (SSL_SESSION_get_protocol_version(kept) >= TLS1_3_VERSION || SSL_SESSION_up_ref(kept) != 1)
				continue;
		}
		cached->sessions[left++] = kept;
	}
	if (left > 0)
		put_first(cache, cached);
	else
		free(cached);
	return session;
}

void tls_cache_clear(struct tls_cache *cache)
{
	while (cache->first) {
		struct tls_cached *cached = cache->first;

		cache->first = cached->next;
		forget(cached);
	}
	cache->count = 0;
}
