/*
 * Taking, finding and giving back handles.
 */
#include "handle_table.h"

#include "ring.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_BITS 10u
#define PAGE_SLOTS (1u << PAGE_BITS)
#define SLOT_MASK ((1u << RW_HANDLE_SLOT_BITS) - 1)
#define GENERATIONS 2047u /* 11 bits: handles stay positive */

static struct handle_table *tables;

/* The child's one thread has another id: it finds nothing in the tables to be its own. */
static void renew_after_fork(void)
{
	for (struct handle_table *table = tables; table; table = table->next_table)
		pthread_mutex_init(&table->mutex, NULL);
}

static struct handle *item_at(struct handle_table *table, uint32_t slot)
{
	uint8_t *page = atomic_load_explicit(&table->pages[slot >> PAGE_BITS], memory_order_acquire);

	return page ? (struct handle *)(page + (size_t)(slot & (PAGE_SLOTS - 1)) * table->item_bytes) : NULL;
}

/* Under the mutex. */
static void give_back(struct handle_table *table, struct handle *item)
{
	table->release(item);
	atomic_store_explicit(&item->id, 0, memory_order_release);
	atomic_store(&item->owner, 0);
	item->next = table->free_first;
	table->free_first = item->slot + 1;
}

static void close_those_of_thread(void *pointer)
{
	struct handle_table *table = pointer;
	int32_t thread = current_thread();

	pthread_mutex_lock(&table->mutex);
	for (uint32_t slot = 0; slot < table->slots_used; slot++) {
		struct handle *item = item_at(table, slot);

		if (atomic_load(&item->id) != 0 && atomic_load(&item->owner) == thread)
			give_back(table, item);
	}
	pthread_mutex_unlock(&table->mutex);
}

/* The library is linked with -z nodelete, so these stay valid after a dlclose. */
void handle_table_watch(struct handle_table *table)
{
	if (!tables)
		pthread_atfork(NULL, NULL, renew_after_fork);
	table->next_table = tables;
	tables = table;
	pthread_mutex_init(&table->mutex, NULL);
	table->has_thread_key = pthread_key_create(&table->thread_key, close_those_of_thread) == 0;
}

struct handle *handle_find(struct handle_table *table, uint32_t id, int32_t *error)
{
	uint32_t slot = id & SLOT_MASK;
	struct handle *item = slot == 0 ? NULL : item_at(table, slot - 1);

	if (!item || atomic_load_explicit(&item->id, memory_order_acquire) != id) {
		*error = -EINVAL;
		return NULL;
	}
	if (atomic_load_explicit(&item->owner, memory_order_relaxed) != current_thread()) {
		*error = -EXDEV;
		return NULL;
	}
	return item;
}

/* Under the mutex. */
static struct handle *take_item(struct handle_table *table, int32_t *error)
{
	uint32_t slot = table->slots_used;
	struct handle *item;

	if (table->free_first != 0) {
		item = item_at(table, table->free_first - 1);
		table->free_first = item->next;
		return item;
	}
	if (slot >= table->limit) {
		*error = -EMFILE;
		return NULL;
	}
	if (!item_at(table, slot)) {
		uint8_t *page = calloc(PAGE_SLOTS, table->item_bytes);

		if (!page) {
			*error = -ENOMEM;
			return NULL;
		}
		atomic_store_explicit(&table->pages[slot >> PAGE_BITS], page, memory_order_release);
	}
	table->slots_used++;
	item = item_at(table, slot);
	item->slot = slot;
	return item;
}

struct handle *handle_take(struct handle_table *table, int32_t *error)
{
	struct handle *item;

	pthread_mutex_lock(&table->mutex);
	item = take_item(table, error);
	pthread_mutex_unlock(&table->mutex);
	return item;
}

int32_t handle_publish(struct handle_table *table, struct handle *item)
{
	uint32_t id;

	if (table->has_thread_key)
		pthread_setspecific(table->thread_key, table);
	item->generation = item->generation % GENERATIONS + 1;
	id = item->generation << RW_HANDLE_SLOT_BITS | (item->slot + 1);
	atomic_store(&item->owner, current_thread());
	atomic_store_explicit(&item->id, id, memory_order_release);
	return (int32_t)id;
}

void handle_close(struct handle_table *table, struct handle *item)
{
	pthread_mutex_lock(&table->mutex);
	give_back(table, item);
	pthread_mutex_unlock(&table->mutex);
}
