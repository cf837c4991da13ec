/*
 * A small test runner, and a ring with its block, as JavaScript would make them.
 */
#ifndef RINGWIRE_TEST_H
#define RINGWIRE_TEST_H

#include "ringwire.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST(name) \
	static void name(void); \
	__attribute__((constructor)) static void register_##name(void) { test_register(__FILE__, #name, name); } \
	static void name(void)

/* Ends the test with a message when the condition does not hold. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			test_fail(__FILE__, __LINE__, #condition); \
	} while (0)
#define CHECK_EQUAL(actual, expected) \
	do { \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected); \
		if (actual_ != expected_) \
			test_fail_equal(__FILE__, __LINE__, #actual, actual_, expected_); \
	} while (0)

void test_register(const char *file, const char *name, void (*run)(void));
_Noreturn void test_fail(const char *file, int line, const char *what);
_Noreturn void test_fail_equal(const char *file, int line, const char *what, long long actual, long long expected);
_Noreturn void test_skip(const char *reason);
bool test_is_valgrind(void);
/* A path for a file or folder of a test's own, which it makes and removes: "XXXXXX" at its end is for mkstemp or mkdtemp. Below TMPDIR. */
void test_path(char *path, size_t bytes, const char *name);
/* Skips the test where RINGWIRE_TEST_EMULATED says that an emulator runs it: qemu knows every call but those of io_uring. rig_open asks by
 * itself; tests that open a ring in a child or a thread ask before. */
void test_needs_uring(void);

/* The block and the ring over it. Zero fields of the options stand for the defaults. */
struct rig_options {
	uint32_t commands, events, buffer_bytes, buffers, send_bytes, connections;
	uint32_t max_queued, max_queued_total_kib, entries, disabled, wanted, plain_bytes;
	bool is_plainless;     /* no plain arena at all */
};
struct rig {
	uint32_t id;
	uint8_t *block;
	uint32_t *control;
	struct rw_command *commands;
	struct rw_event *events;
	uint32_t *queued;      /* by slot */
	uint32_t command_count, command_capacity;
	uint32_t handled;      /* events looked at since the last recycling turn */
	uint32_t count;        /* events there */
	uint32_t send_offset, send_used, send_bytes;
	uint32_t block_bytes;
};

int32_t rig_try_open(struct rig *rig, const struct rig_options *options);
void rig_open(struct rig *rig, const struct rig_options *options);
void rig_close(struct rig *rig);
/* A turn that recycles; asserts that it succeeds. Returns the number of events. */
uint32_t rig_turn(struct rig *rig, int32_t wait_us);
/* Records a command. */
void rig_command(struct rig *rig, uint32_t op, uint32_t handle, uint32_t a, uint32_t b);
/* Copies bytes into the arena and records SEND; flushes first when there is no room. */
void rig_send(struct rig *rig, uint32_t handle, const void *data, uint32_t bytes);
/* Listens on 127.0.0.1, any port; returns the handle. */
uint32_t rig_listen(struct rig *rig, uint16_t *port);
/* Starts connecting to 127.0.0.1. */
uint32_t rig_connect(struct rig *rig, uint16_t port);
/* Turns until an event of this kind comes (handle 0: of any connection), for 20 seconds at most; other events are
 * dropped. Returns the event. */
struct rw_event rig_await(struct rig *rig, uint32_t kind, uint32_t handle);
/* The same, but collects up to `bytes` received bytes into data. */
void rig_receive(struct rig *rig, uint32_t handle, uint8_t *data, uint32_t bytes);
struct rw_endpoint *rig_endpoint(struct rig *rig, uint32_t family, const char *host, uint32_t port);
const char *rig_text(struct rig *rig);

/* peer.c: plain blocking sockets. */
int peer_connect(uint16_t port);
int peer_try_connect(int fd, uint16_t port);    /* 0, or -1 and errno */
int peer_listen(uint16_t *port);
void peer_write(int fd, const void *data, size_t bytes);
size_t peer_read(int fd, void *data, size_t bytes);
int count_descriptors(void);
/* Runs it in three threads, one after the other, that end with what they have opened: no descriptor stays. */
void threads_leave_nothing(void *(*run)(void *));
/* Lets the process open so many. Returns false where the system does not. */
bool may_open(uint32_t descriptors);
void fill_random(void *data, size_t bytes, uint64_t seed);
uint64_t clock_ms(void);

#endif
