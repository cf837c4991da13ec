/*
 * Opening and closing: refusals say why, ids and threads are checked, forks and exits do no harm.
 */
#include "test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a function in a child; returns its exit status, or -1 when it died. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t child;

	test_needs_uring();
	child = fork();
	if (child == 0)
		_exit(run());
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int forbid(int call, uint32_t errno_value)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_value),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int open_forbidden(void)
{
	struct rig rig;

	if (forbid(SYS_io_uring_setup, EPERM) < 0)
		return 77;
	if (rig_try_open(&rig, NULL) != -EPERM)
		return 1;
	return strstr(rig_text(&rig), "io_uring forbidden by s") ? 0 : 2;
}

static int open_missing(void)
{
	struct rig rig;

	if (forbid(SYS_io_uring_setup, ENOSYS) < 0)
		return 77;
	if (rig_try_open(&rig, NULL) != -ENOSYS)
		return 1;
	return strstr(rig_text(&rig), "lacks io_uring") ? 0 : 2;
}

static int open_unregistered(void)
{
	struct rig rig;

	if (forbid(SYS_io_uring_register, EINVAL) < 0)
		return 77;
	return rig_try_open(&rig, NULL) < 0 && rig.control[RW_FIELD_TEXT_BYTES] > 0 ? 0 : 1;
}

static int open_without_descriptors(void)
{
	struct rig rig;
	struct rlimit none = { 3, 3 };

	setrlimit(RLIMIT_NOFILE, &none);
	return rig_try_open(&rig, NULL) == -EMFILE && rig.control[RW_FIELD_TEXT_BYTES] > 0 ? 0 : 1;
}

TEST(a_forbidden_io_uring_is_refused_with_the_reason)
{
	int status = in_child(open_forbidden);

	if (status == 77)
		test_skip("this process may not install a seccomp filter");
	CHECK_EQUAL(status, 0);
}

TEST(a_missing_io_uring_is_refused_with_the_reason)
{
	int status = in_child(open_missing);

	if (status == 77)
		test_skip("this process may not install a seccomp filter");
	CHECK_EQUAL(status, 0);
}

TEST(a_kernel_that_registers_nothing_is_refused)
{
	int status = in_child(open_unregistered);

	if (status == 77)
		test_skip("this process may not install a seccomp filter");
	CHECK_EQUAL(status, 0);
}

TEST(opening_without_descriptors_fails_cleanly)
{
	if (test_is_valgrind())
		test_skip("valgrind keeps descriptors of its own beyond the limit");
	CHECK_EQUAL(in_child(open_without_descriptors), 0);
}

TEST(the_text_says_what_the_kernel_gives)
{
	struct rig rig;

	rig_open(&rig, NULL);
	printf("  %s\n", rig_text(&rig));
	CHECK(strncmp(rig_text(&rig), "kernel ", 7) == 0);
	CHECK(rig.control[RW_FIELD_KERNEL_MAJOR] >= 5);
	rig_close(&rig);
	rig_open(&rig, &(struct rig_options){ .disabled = UINT32_MAX });
	CHECK_EQUAL(rig.control[RW_FIELD_FEATURES], 0);
	rig_close(&rig);
}

TEST(a_wrong_control_page_is_refused)
{
	static const struct { uint32_t field, value; } wrong[] = {
		{ RW_FIELD_ABI_VERSION, 99 }, { RW_FIELD_BLOCK_BYTES, 1 << 20 }, { RW_FIELD_COMMAND_OFFSET, 0 },
		{ RW_FIELD_COMMAND_OFFSET, 4097 }, { RW_FIELD_COMMAND_OFFSET, UINT32_MAX & ~63u },
		{ RW_FIELD_COMMAND_COUNT, 1 }, { RW_FIELD_COMMAND_COUNT, UINT32_MAX },
		{ RW_FIELD_EVENT_OFFSET, 1 }, { RW_FIELD_EVENT_COUNT, 0 }, { RW_FIELD_EVENT_COUNT, 1u << 31 },
		{ RW_FIELD_RECEIVE_OFFSET, 100 }, { RW_FIELD_RECEIVE_BUFFER_BYTES, 0 },
		{ RW_FIELD_RECEIVE_BUFFER_BYTES, 1u << 31 }, { RW_FIELD_RECEIVE_BUFFER_COUNT, 3 },
		{ RW_FIELD_RECEIVE_BUFFER_COUNT, 1 }, { RW_FIELD_SEND_OFFSET, 1 }, { RW_FIELD_SEND_BYTES, UINT32_MAX },
		{ RW_FIELD_SEND_BYTES, 0 }, { RW_FIELD_MAX_CONNECTIONS, 0 }, { RW_FIELD_MAX_CONNECTIONS, 1u << 20 },
		{ RW_FIELD_SUBMISSION_ENTRIES, 7 }, { RW_FIELD_SUBMISSION_ENTRIES, 0 },
		{ RW_FIELD_QUEUED_OFFSET, 0 }, { RW_FIELD_QUEUED_OFFSET, 4098 },
		{ RW_FIELD_QUEUED_OFFSET, UINT32_MAX & ~3u },
	};
	struct rig rig;

	rig_open(&rig, NULL);
	CHECK_EQUAL(rw_ring_close(rig.id), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		uint32_t before = rig.control[wrong[i].field];
		rig.control[wrong[i].field] = wrong[i].value;
		int32_t result = rw_ring_open(rig.block, rig.block_bytes);
		CHECK_EQUAL(result, wrong[i].field == RW_FIELD_ABI_VERSION ? -EPROTO : -EINVAL);
		CHECK(rig.control[RW_FIELD_TEXT_BYTES] > 0);
		rig.control[wrong[i].field] = before;
	}
	CHECK_EQUAL(rw_ring_open(NULL, 1 << 20), -EINVAL);
	CHECK_EQUAL(rw_ring_open(rig.block, 100), -EINVAL);
	rig.id = (uint32_t)rw_ring_open(rig.block, rig.block_bytes);
	rig_close(&rig);
}

static struct rig shared;

static void *use_from_another_thread(void *result)
{
	int32_t *results = result;

	results[0] = rw_turn(shared.id, 0, 0, 0);
	results[1] = rw_ring_close(shared.id);
	results[2] = rw_utf8(shared.id, shared.send_offset, 1);
	return NULL;
}

TEST(a_ring_belongs_to_its_thread)
{
	pthread_t thread;
	int32_t results[3];

	rig_open(&shared, NULL);
	pthread_create(&thread, NULL, use_from_another_thread, results);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(results[i], -EXDEV);
	rig_close(&shared);
}

/* A command that an event or the kernel rewrites after it was checked would reach any memory. */
TEST(parts_of_the_block_that_overlap_are_refused)
{
	static const uint32_t offsets[] = { RW_FIELD_COMMAND_OFFSET, RW_FIELD_EVENT_OFFSET, RW_FIELD_QUEUED_OFFSET,
					    RW_FIELD_RECEIVE_OFFSET, RW_FIELD_SEND_OFFSET };
	const size_t count = sizeof offsets / sizeof *offsets;
	struct rig rig;

	rig_open(&rig, &(struct rig_options){ .send_bytes = 1 << 22 });
	CHECK_EQUAL(rw_ring_close(rig.id), 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			uint32_t before = rig.control[offsets[i]];
			if (i == j)
				continue;
			rig.control[offsets[i]] = rig.control[offsets[j]] & ~(offsets[i] == RW_FIELD_RECEIVE_OFFSET ? 4095u : 63u);
			CHECK_EQUAL(rw_ring_open(rig.block, rig.block_bytes), -EINVAL);
			rig.control[offsets[i]] = before;
		}
	}
	rig.id = (uint32_t)rw_ring_open(rig.block, rig.block_bytes);
	rig_close(&rig);
}

TEST(sixty_four_rings_fit_and_stale_ids_find_nothing)
{
	static struct rig rigs[65];
	struct rig_options options = { .buffers = 2, .buffer_bytes = 4096, .send_bytes = 4096, .entries = 8,
				       .commands = 16, .events = 16, .connections = 4 };
	uint32_t old;

	for (int i = 0; i < 64; i++)
		rig_open(&rigs[i], &options);
	CHECK_EQUAL(rig_try_open(&rigs[64], &options), -EMFILE);
	munmap(rigs[64].block, rigs[64].block_bytes);
	old = rigs[5].id;
	rig_close(&rigs[5]);
	rig_open(&rigs[5], &options);
	CHECK(rigs[5].id != old);
	CHECK_EQUAL(rw_turn(old, 0, 0, 0), -EINVAL);
	for (int i = 0; i < 64; i++)
		rig_close(&rigs[i]);
}

static int use_after_fork(void)
{
	struct rig fresh;

	if (rw_turn(shared.id, 0, 0, 0) != -EINVAL || rw_ring_close(shared.id) != -EINVAL)
		return 1;
	if (rig_try_open(&fresh, NULL) <= 0)
		return 2;
	return rw_turn(fresh.id, 0, RW_TURN_RECYCLE, 0) == 0 ? 0 : 3;
}

static int exit_without_closing(void)
{
	struct rig rig;
	uint16_t port;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	rig_connect(&rig, port);
	rig_turn(&rig, 0);
	return 0;
}

TEST(a_forked_child_sees_no_ring_and_the_parent_goes_on)
{
	uint16_t port;
	int peer;

	rig_open(&shared, NULL);
	rig_listen(&shared, &port);
	CHECK_EQUAL(in_child(use_after_fork), 0);
	peer = peer_connect(port);
	rig_await(&shared, RW_EVENT_ACCEPTED, 0);
	close(peer);
	rig_close(&shared);
}

TEST(exiting_without_closing_is_harmless)
{
	CHECK_EQUAL(in_child(exit_without_closing), 0);
}

static void *leave_a_ring_behind(void *block)
{
	struct rig rig;
	uint16_t port;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	rig_connect(&rig, port);
	rw_wake_open(rig.id, RW_WAKE_ABSTRACT);
	rig_turn(&rig, 0);
	/* The runtime may free the block before the thread is gone. */
	munmap(rig.block, rig.block_bytes);
	*(uint32_t *)block = rig.id;
	return NULL;
}

TEST(a_thread_that_ends_takes_its_ring_and_sockets_with_it)
{
	int before = count_descriptors();

	test_needs_uring();
	for (int i = 0; i < 70; i++) {
		pthread_t thread;
		uint32_t id = 0;
		pthread_create(&thread, NULL, leave_a_ring_behind, &id);
		pthread_join(thread, NULL);
		CHECK(id != 0);
		CHECK_EQUAL(rw_turn(id, 0, 0, 0), -EINVAL);
	}
	usleep(50000); /* the kernel takes rings down in the background */
	CHECK_EQUAL(count_descriptors(), before);
}

#define CROWD 40

/* More are accepted than the event array has room for: the others are held, as descriptors nobody knows. */
static void crowd(struct rig *rig, int *peers)
{
	uint16_t port;

	rig_open(rig, &(struct rig_options){ .events = 16 });
	rig_listen(rig, &port);
	for (int i = 0; i < CROWD; i++)
		peers[i] = peer_connect(port);
	CHECK(rig_turn(rig, 1000) > 0);
	CHECK(rw_turn(rig->id, 0, 0, 0) <= 16);
}

TEST(closing_a_ring_closes_accepted_sockets_that_were_not_told)
{
	struct rig rig;
	int peers[CROWD], before = count_descriptors();
	uint64_t begin;

	crowd(&rig, peers);
	begin = clock_ms();
	rig_close(&rig);
	/* 200 ms is the patience with what never completes; held completions are there already. */
	CHECK(test_is_valgrind() || clock_ms() - begin < 150);
	for (int i = 0; i < CROWD; i++)
		close(peers[i]);
	CHECK_EQUAL(count_descriptors(), before);
}

static void *leave_a_crowd_behind(void *peers)
{
	struct rig rig;

	crowd(&rig, peers);
	munmap(rig.block, rig.block_bytes);
	return NULL;
}

TEST(a_thread_that_ends_takes_accepted_sockets_with_it_that_were_not_told)
{
	int peers[CROWD], before = count_descriptors();
	pthread_t thread;

	test_needs_uring();
	CHECK_EQUAL(pthread_create(&thread, NULL, leave_a_crowd_behind, peers), 0);
	pthread_join(thread, NULL);
	for (int i = 0; i < CROWD; i++)
		close(peers[i]);
	CHECK_EQUAL(count_descriptors(), before);
}

/* In a child, so that the other tests keep their rings. */
static int open_one_too_many(void)
{
	struct rig_options small = { .commands = 16, .events = 16, .buffer_bytes = 4096, .buffers = 2, .send_bytes = 4096,
				     .connections = 4, .entries = 8 };
	struct rig rigs[65];

	for (int i = 0; i < 64; i++)
		rig_open(&rigs[i], &small);
	CHECK_EQUAL(rig_try_open(&rigs[64], &small), -EMFILE);
	CHECK(strcmp(rig_text(&rigs[64]), "this process has 64 io_uring loops already, which is the limit") == 0);
	rig_close(&rigs[7]);
	CHECK(rig_try_open(&rigs[64], &small) > 0);
	return 0;
}

TEST(one_ring_too_many_is_refused_with_the_reason)
{
	CHECK_EQUAL(in_child(open_one_too_many), 0);
}
