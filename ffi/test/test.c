/*
 * The runner: each test in turn, in one process; a failing one does not end the others.
 */
#include "test.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For what will surely come, on a machine that is busy with something else. */
#define PATIENCE_MS 20000u
/* A hang is a failure of the whole run. */
#define ALARM_SECONDS 300u

static struct { const char *file, *name; void (*run)(void); } tests[256];
static size_t test_count;
static jmp_buf escape;
static const char *current_name;
static pid_t runner;
static pthread_t runner_thread;
/* By slot, which is the lowest byte of an id and begins at 1. */
static uint32_t opened_rings[256];

void test_register(const char *file, const char *name, void (*run)(void))
{
	tests[test_count].file = file;
	tests[test_count].name = name;
	tests[test_count++].run = run;
}

/*
 * Ends the test; a child that a test has forked ends whole, and does not go on with the tests of its parent. From another thread there
 * is no way back to the runner's stack: what is wrong there has been said, and ends the run.
 */
static _Noreturn void leave(int outcome)
{
	if (getpid() != runner)
		_exit(outcome);
	if (!pthread_equal(pthread_self(), runner_thread)) {
		printf("  in a thread of its own: nothing more can be tested\n");
		fflush(stdout);
		_exit(1);
	}
	longjmp(escape, outcome);
}

void test_fail(const char *file, int line, const char *what)
{
	printf("FAILED %s\n  %s:%d: %s\n", current_name, file, line, what);
	leave(1);
}

void test_fail_equal(const char *file, int line, const char *what, long long actual, long long expected)
{
	printf("FAILED %s\n  %s:%d: %s is %lld, not %lld\n", current_name, file, line, what, actual, expected);
	leave(1);
}

void test_skip(const char *reason)
{
	printf("SKIPPED %s: %s\n", current_name, reason);
	leave(2);
}

bool test_is_valgrind(void)
{
	return getenv("RINGWIRE_TEST_VALGRIND") != NULL;
}

void test_path(char *path, size_t bytes, const char *name)
{
	const char *folder = getenv("TMPDIR");
	int length = snprintf(path, bytes, "%s/ringwire-%s-XXXXXX", folder && *folder ? folder : P_tmpdir, name);

	CHECK(length > 0 && (size_t)length < bytes);
}

void test_needs_uring(void)
{
	if (getenv("RINGWIRE_TEST_EMULATED"))
		test_skip("the emulator knows no io_uring");
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

int32_t rig_try_open(struct rig *rig, const struct rig_options *options)
{
	struct rig_options given = options ? *options : (struct rig_options){ 0 };
	uint32_t commands = or_default(given.commands, 1024), events = or_default(given.events, 4096);
	uint32_t buffer_bytes = or_default(given.buffer_bytes, 65536), buffers = or_default(given.buffers, 32);
	uint32_t send_bytes = or_default(given.send_bytes, 1 << 20);
	uint32_t event_offset = RW_CONTROL_BYTES + commands * 16;
	uint32_t queued_offset = (event_offset + events * 16 + 63) & ~63u;
	uint32_t connections = or_default(given.connections, 1024);
	uint32_t receive_offset = (queued_offset + connections * 4 + 4095) & ~4095u;
	uint32_t plain_bytes = given.is_plainless ? 0 : or_default(given.plain_bytes, 1 << 20);
	uint32_t plain_offset = receive_offset + buffer_bytes * buffers;
	uint32_t send_offset = plain_offset + plain_bytes;
	int32_t result;

	event_offset = (event_offset + 63) & ~63u;
	*rig = (struct rig){ 0 };
	rig->block_bytes = send_offset + ((send_bytes + 63) & ~63u);
	/* Page-aligned, and faulting right behind its end. */
	rig->block = mmap(NULL, (rig->block_bytes + 4095) & ~4095u, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rig->control = (uint32_t *)rig->block;
	rig->control[RW_FIELD_ABI_VERSION] = RW_ABI_VERSION;
	rig->control[RW_FIELD_BLOCK_BYTES] = rig->block_bytes;
	rig->control[RW_FIELD_COMMAND_OFFSET] = RW_CONTROL_BYTES;
	rig->control[RW_FIELD_COMMAND_COUNT] = commands;
	rig->control[RW_FIELD_EVENT_OFFSET] = event_offset;
	rig->control[RW_FIELD_EVENT_COUNT] = events;
	rig->control[RW_FIELD_RECEIVE_OFFSET] = receive_offset;
	rig->control[RW_FIELD_RECEIVE_BUFFER_BYTES] = buffer_bytes;
	rig->control[RW_FIELD_RECEIVE_BUFFER_COUNT] = buffers;
	rig->control[RW_FIELD_PLAIN_OFFSET] = plain_offset;
	rig->control[RW_FIELD_PLAIN_BYTES] = plain_bytes;
	rig->control[RW_FIELD_SEND_OFFSET] = send_offset;
	rig->control[RW_FIELD_SEND_BYTES] = send_bytes;
	rig->control[RW_FIELD_MAX_CONNECTIONS] = connections;
	rig->control[RW_FIELD_QUEUED_OFFSET] = queued_offset;
	rig->control[RW_FIELD_MAX_QUEUED_BYTES] = or_default(given.max_queued, 64u << 20);
	rig->control[RW_FIELD_MAX_QUEUED_TOTAL_KIB] = or_default(given.max_queued_total_kib, 256u << 10);
	rig->control[RW_FIELD_SUBMISSION_ENTRIES] = or_default(given.entries, 256);
	rig->control[RW_FIELD_DISABLED_FEATURES] = given.disabled;
	rig->control[RW_FIELD_WANTED_FEATURES] = given.wanted;
	rig->commands = (struct rw_command *)(rig->block + RW_CONTROL_BYTES);
	rig->events = (struct rw_event *)(rig->block + event_offset);
	rig->queued = (uint32_t *)(rig->block + queued_offset);
	rig->command_capacity = commands;
	rig->send_offset = send_offset;
	rig->send_bytes = send_bytes;
	result = rw_ring_open(rig->block, rig->block_bytes);
	rig->id = (uint32_t)result;
	if (result > 0)
		opened_rings[rig->id & 255] = rig->id;
	return result;
}

/* Those that a failed test has left would be missing to the tests behind it. */
static void close_rings_left(void)
{
	for (size_t slot = 0; slot < sizeof opened_rings / sizeof *opened_rings; slot++)
		if (opened_rings[slot] != 0)
			rw_ring_close(opened_rings[slot]);
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
	int32_t result;

	test_needs_uring();
	result = rig_try_open(rig, options);
	if (result <= 0)
		printf("  rw_ring_open: %d: %s\n", result, rig_text(rig));
	CHECK(result > 0);
}

void rig_close(struct rig *rig)
{
	CHECK_EQUAL(rw_ring_close(rig->id), 0);
	munmap(rig->block, (rig->block_bytes + 4095) & ~4095u);
}

uint32_t rig_turn(struct rig *rig, int32_t wait_us)
{
	int32_t result = rw_turn(rig->id, rig->command_count, RW_TURN_RECYCLE, wait_us);

	rig->command_count = 0;
	rig->send_used = 0;
	rig->handled = 0;
	CHECK(result >= 0);
	rig->count = (uint32_t)result;
	return rig->count;
}

/* A turn in the middle of handling: the events so far stay. */
static void flush(struct rig *rig)
{
	int32_t result = rw_turn(rig->id, rig->command_count, 0, 0);

	rig->command_count = 0;
	rig->send_used = 0;
	CHECK(result >= (int32_t)rig->count);
	rig->count = (uint32_t)result;
}

void rig_command(struct rig *rig, uint32_t op, uint32_t handle, uint32_t a, uint32_t b)
{
	if (rig->command_count == rig->command_capacity)
		flush(rig);
	rig->commands[rig->command_count++] = (struct rw_command){ op, handle, a, b };
}

void rig_send(struct rig *rig, uint32_t handle, const void *data, uint32_t bytes)
{
	const uint8_t *from = data;

	while (bytes > 0) {
		uint32_t part = bytes < rig->send_bytes ? bytes : rig->send_bytes;
		if (part > rig->send_bytes - rig->send_used)
			flush(rig);
		memcpy(rig->block + rig->send_offset + rig->send_used, from, part);
		rig_command(rig, RW_COMMAND_SEND, handle, rig->send_offset + rig->send_used, part);
		rig->send_used += part;
		from += part;
		bytes -= part;
	}
}

struct rw_endpoint *rig_endpoint(struct rig *rig, uint32_t family, const char *host, uint32_t port)
{
	struct rw_endpoint *endpoint = (struct rw_endpoint *)(rig->block + RW_ENDPOINT_OFFSET);

	memset(endpoint, 0, sizeof *endpoint);
	endpoint->family = family;
	endpoint->port = port;
	endpoint->flags = RW_ENDPOINT_NO_DELAY;
	endpoint->backlog = 1024;
	endpoint->host_bytes = (uint32_t)strlen(host);
	memcpy(endpoint->host, host, endpoint->host_bytes);
	return endpoint;
}

const char *rig_text(struct rig *rig)
{
	static char text[RW_TEXT_MAX_BYTES + 1];
	uint32_t bytes = rig->control[RW_FIELD_TEXT_BYTES];

	memcpy(text, rig->block + RW_TEXT_OFFSET, bytes);
	text[bytes] = 0;
	return text;
}

uint32_t rig_listen(struct rig *rig, uint16_t *port)
{
	uint32_t handle;

	rig_endpoint(rig, RW_FAMILY_IPV4, "127.0.0.1", 0);
	CHECK_EQUAL(rw_listen(rig->id), 0);
	handle = rig->control[RW_FIELD_HANDLE];
	CHECK(rw_address(rig->id, handle, RW_ADDRESS_LOCAL) > 0);
	*port = (uint16_t)atoi(strchr(rig_text(rig), ' ') + 1);
	return handle;
}

uint32_t rig_connect(struct rig *rig, uint16_t port)
{
	rig_endpoint(rig, RW_FAMILY_IPV4, "127.0.0.1", port);
	CHECK_EQUAL(rw_connect(rig->id), 0);
	return rig->control[RW_FIELD_HANDLE];
}

struct rw_event rig_await(struct rig *rig, uint32_t kind, uint32_t handle)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;

	for (;;) {
		while (rig->handled < rig->count) {
			struct rw_event event = rig->events[rig->handled++];
			if (event.kind == kind && (handle == 0 || event.handle == handle))
				return event;
		}
		if (clock_ms() > deadline)
			CHECK(!"the awaited event came in time");
		rig_turn(rig, 20000);
	}
}

void rig_receive(struct rig *rig, uint32_t handle, uint8_t *data, uint32_t bytes)
{
	uint32_t have = 0;

	while (have < bytes) {
		struct rw_event event = rig_await(rig, RW_EVENT_RECEIVED, handle);
		CHECK(event.b <= bytes - have);
		memcpy(data + have, rig->block + event.a, event.b);
		have += event.b;
	}
}

int main(int count, char **arguments)
{
	static int passed, failed, skipped; /* static: they live through longjmp */
	static size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	runner = getpid();
	runner_thread = pthread_self();
	for (i = 0; i < test_count; i++) {
		if (count > 1 && !strstr(tests[i].name, arguments[1]))
			continue;
		current_name = tests[i].name;
		alarm(ALARM_SECONDS);
		switch (setjmp(escape)) {
		case 0:
			tests[i].run();
			printf("passed %s\n", current_name);
			passed++;
			break;
		case 1:
			failed++;
			close_rings_left();
			break;
		default:
			skipped++;
			break;
		}
	}
	if (skipped)
		printf("%d skipped\n", skipped);
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
