/*
 * Failures on demand. See faults.h.
 */
#include "faults.h"

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

static bool is_active;
static uint32_t memory_after, memory_count, submission_count, served;
static int submission_error;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
int __real_io_uring_submit(struct io_uring *uring);
int __real_io_uring_submit_and_get_events(struct io_uring *uring);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *uring, struct io_uring_cqe **entry, unsigned count,
					    struct __kernel_timespec *timeout, sigset_t *mask);

void faults_of_memory(uint32_t after, uint32_t count)
{
	memory_after = after;
	memory_count = count;
}

void faults_of_submission(int error, uint32_t count)
{
	submission_error = error;
	submission_count = count;
}

uint32_t faults_stop(void)
{
	is_active = false;
	return served;
}

void faults_resume(void)
{
	is_active = true;
}

void faults_clear(void)
{
	is_active = false;
	memory_after = memory_count = submission_count = served = 0;
}

static bool is_memory_refused(void)
{
	if (!is_active || memory_count == 0)
		return false;
	if (memory_after > 0) {
		memory_after--;
		return false;
	}
	memory_count--;
	served++;
	return true;
}

static bool is_submission_refused(void)
{
	if (!is_active || submission_count == 0)
		return false;
	submission_count--;
	served++;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return is_memory_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return is_memory_refused() ? NULL : __real_calloc(count, bytes);
}

int __wrap_io_uring_submit(struct io_uring *uring)
{
	return is_submission_refused() ? -submission_error : __real_io_uring_submit(uring);
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *uring)
{
	return is_submission_refused() ? -submission_error : __real_io_uring_submit_and_get_events(uring);
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *uring, struct io_uring_cqe **entry, unsigned count,
					    struct __kernel_timespec *timeout, sigset_t *mask)
{
	return is_submission_refused() ? -submission_error
				       : __real_io_uring_submit_and_wait_timeout(uring, entry, count, timeout, mask);
}
