/*
 * Several threads at once, as Workers are: each with rings of its own, and all with the tables they share. What
 * ThreadSanitizer has to say is the point (make test-tsan).
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 4
#define BYTES 3000u

/* Ids that others try to use: none may get anywhere with a ring that is not its own. */
static _Atomic uint32_t known_ids[THREADS];

struct member {
	uint32_t index, rounds;
	const char *problem; /* CHECK jumps out of the main thread's stack: not for use here */
};

/* Sends to itself over loopback until all has arrived. */
static const char *exchange(struct rig *rig, uint32_t client)
{
	static const uint8_t zeros[BYTES];
	uint32_t have = 0;

	memcpy(rig->block + rig->send_offset, zeros, BYTES);
	rig->commands[0] = (struct rw_command){ RW_COMMAND_SEND, client, rig->send_offset, BYTES };
	for (int turn = 0; turn < 2000 && have < BYTES; turn++) {
		int32_t count = rw_turn(rig->id, turn == 0, RW_TURN_RECYCLE, 1000);
		if (count < 0)
			return "rw_turn";
		for (int32_t i = 0; i < count; i++)
			if (rig->events[i].kind == RW_EVENT_RECEIVED)
				have += rig->events[i].b;
	}
	return have == BYTES ? NULL : "bytes are missing";
}

static const char *open_and_exchange(struct rig *rig)
{
	const struct rig_options options = { .buffers = 2, .buffer_bytes = 4096, .send_bytes = 4096, .entries = 16,
					     .commands = 16, .events = 64, .connections = 8 };
	char host[40];
	struct rw_endpoint *endpoint;

	if (rig_try_open(rig, &options) <= 0)
		return "rw_ring_open";
	/* An abstract name per ring: the text of rw_address would need parsing. Other runs of this test may go on beside this one. */
	snprintf(host, sizeof host, "@threads-%d-%08x", getpid(), rig->id);
	endpoint = rig_endpoint(rig, RW_FAMILY_UNIX, host, 0);
	endpoint->host[0] = 0;
	if (rw_listen(rig->id) != 0 || rw_connect(rig->id) != 0)
		return "rw_listen or rw_connect";
	return exchange(rig, rig->control[RW_FIELD_HANDLE]);
}

static const char *try_foreign_ids(uint32_t own)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		uint32_t id = atomic_load(&known_ids[i]);
		int32_t result = id == own ? -EXDEV : rw_turn(id, 0, 0, 0);
		if (result != -EXDEV && result != -EINVAL)
			return "a foreign ring took a turn";
		if (id != own && rw_ring_close(id) >= 0)
			return "a foreign ring was closed";
	}
	return NULL;
}

static const char *use_kernels(uint32_t round)
{
	uint8_t text[300];

	memset(text, 'x', sizeof text);
	rw_kernel_select(round % 4);
	if (rw_utf8_at(text, sizeof text) != 0 || rw_unmask_at(text, sizeof text, 0x01020304) != 0 || text[0] != ('x' ^ 4))
		return "kernels";
	return NULL;
}

static _Atomic uint32_t known_codecs[THREADS];

/* A message there and back, through codecs of both kinds, and a look at those of others. */
static const char *use_codecs(uint32_t index, bool is_left)
{
	uint8_t message[400], packed[RW_DEFLATE_BOUND(sizeof message)], back[sizeof message];
	int32_t deflate = rw_deflate_open(12, 6, 5), inflate = rw_inflate_open(12), size;

	if (deflate <= 0 || inflate <= 0)
		return "opening codecs";
	atomic_store(&known_codecs[index], (uint32_t)deflate);
	memset(message, 'm', sizeof message);
	for (uint32_t flags = 0; flags <= RW_CODEC_FRESH; flags++) {
		size = rw_deflate((uint32_t)deflate, message, 0, sizeof message, packed, 0, sizeof packed, flags);
		if (size <= 0)
			return "rw_deflate";
		size = rw_inflate((uint32_t)inflate, packed, 0, (uint32_t)size, back, 0, sizeof back, flags);
		if (size != sizeof message || memcmp(message, back, sizeof back) != 0)
			return "rw_inflate";
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		uint32_t foreign = atomic_load(&known_codecs[i]);
		if (foreign != (uint32_t)deflate && foreign != (uint32_t)inflate && rw_codec_close(foreign) == 0)
			return "a foreign codec was closed";
	}
	if (is_left)
		return NULL;
	return rw_codec_close((uint32_t)deflate) == 0 && rw_codec_close((uint32_t)inflate) == 0 ? NULL : "rw_codec_close";
}

static void *run(void *pointer)
{
	struct member *member = pointer;

	for (uint32_t round = 0; round < member->rounds && !member->problem; round++) {
		struct rig rig;
		bool is_last = round + 1 == member->rounds;

		member->problem = open_and_exchange(&rig);
		if (member->problem)
			break;
		atomic_store(&known_ids[member->index], rig.id);
		member->problem = try_foreign_ids(rig.id);
		if (!member->problem)
			member->problem = use_kernels(round + member->index);
		if (!member->problem)
			member->problem = use_codecs(member->index, is_last);
		/* The last ring is left to the end of the thread. */
		if (!is_last && rw_ring_close(rig.id) != 0)
			member->problem = "rw_ring_close";
		munmap(rig.block, (rig.block_bytes + 4095) & ~4095u);
	}
	return NULL;
}

TEST(threads_open_use_and_leave_rings_and_codecs_at_once)
{
	int before = count_descriptors();
	struct member members[THREADS];
	pthread_t threads[THREADS];
	int32_t set = rw_kernel_set();

	test_needs_uring();
	for (uint32_t i = 0; i < THREADS; i++) {
		members[i] = (struct member){ .index = i, .rounds = test_is_valgrind() ? 3 : 12 };
		CHECK_EQUAL(pthread_create(&threads[i], NULL, run, &members[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < THREADS; i++) {
		if (members[i].problem)
			printf("  thread %u: %s\n", i, members[i].problem);
		CHECK(!members[i].problem);
		CHECK_EQUAL(rw_turn(known_ids[i], 0, 0, 0), -EINVAL);
	}
	rw_kernel_select((uint32_t)set);
	CHECK_EQUAL(count_descriptors(), before);
}
