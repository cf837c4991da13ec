/*
 * Tables of things that JavaScript knows by a handle, has made by one thread and may forget to close: codecs, TLS contexts.
 *
 * A table is only written when something is opened or closed, under its mutex; calls in between compare two atomics. Its pages
 * are never freed, so that a stale handle looks at no freed memory.
 */
#ifndef RINGWIRE_HANDLE_TABLE_H
#define RINGWIRE_HANDLE_TABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDLE_PAGES 1024u

/* What every item of a table begins with. Items are zeroed once; their other fields keep what they had when a slot is taken again. */
struct handle {
	_Atomic uint32_t id;    /* 0: free. Slot + 1 in the low 20 bits, generation in the high 11 */
	_Atomic int32_t owner;  /* thread id */
	uint32_t slot;
	uint32_t generation;    /* 1 to 2,047 */
	uint32_t next;          /* free list: slot + 1 */
};

struct handle_table {
	uint32_t limit;
	size_t item_bytes;
	/* Frees what the item holds; called with the mutex held, by the owner. */
	void (*release)(struct handle *item);

	_Atomic(uint8_t *) pages[HANDLE_PAGES];
	uint32_t slots_used, free_first; /* free_first: slot + 1 */
	pthread_mutex_t mutex;
	pthread_key_t thread_key;
	bool has_thread_key;
	struct handle_table *next_table;
};

/* Once per table, from a constructor: closes what ending threads leave, and unlocks in forked children. */
void handle_table_watch(struct handle_table *table);
/* The item behind an id. NULL with *error -EINVAL: no such; -EXDEV: another thread's. */
struct handle *handle_find(struct handle_table *table, uint32_t id, int32_t *error);
/* A free item, to be filled in and then given to handle_publish. NULL with *error -EMFILE or -ENOMEM. */
struct handle *handle_take(struct handle_table *table, int32_t *error);
/* Makes it the calling thread's and returns its id. */
int32_t handle_publish(struct handle_table *table, struct handle *item);
/* Releases it and gives its slot back. */
void handle_close(struct handle_table *table, struct handle *item);

#endif
