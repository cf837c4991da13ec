/*
 * What this kernel gives: opens the io_uring with the best flags it takes, and says in one line what it has
 * or why it refuses.
 */
#include "ring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void probe_kernel(struct probe *probe)
{
	struct utsname name;

	probe->kernel_major = probe->kernel_minor = 0;
	if (uname(&name) == 0)
		sscanf(name.release, "%u.%u", &probe->kernel_major, &probe->kernel_minor);
}

static bool is_kernel(const struct probe *probe, uint32_t major, uint32_t minor)
{
	return probe->kernel_major > major || (probe->kernel_major == major && probe->kernel_minor >= minor);
}

/* kernel.io_uring_disabled: 0 allowed, 1 privileged or in kernel.io_uring_group only, 2 nobody; -1 unknown. */
static int read_sysctl(void)
{
	char text[8] = { 0 };
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	ssize_t bytes;

	if (fd < 0)
		return -1;
	bytes = read(fd, text, sizeof text - 1);
	close(fd);
	return bytes > 0 ? atoi(text) : -1;
}

static void explain(const struct probe *probe, int32_t error, char *text, size_t text_bytes)
{
	int sysctl = error == -EPERM ? read_sysctl() : 0;

	if (error == -ENOSYS)
		snprintf(text, text_bytes, "kernel %u.%u lacks io_uring", probe->kernel_major, probe->kernel_minor);
	else if (error == -EPERM && sysctl > 0)
		snprintf(text, text_bytes, "io_uring forbidden by sysctl kernel.io_uring_disabled=%d", sysctl);
	else if (error == -EPERM || error == -EACCES)
		snprintf(text, text_bytes, "io_uring forbidden by seccomp or a security module");
	else if (error == -ENOMEM)
		snprintf(text, text_bytes, "no memory for io_uring: RLIMIT_MEMLOCK may be too low");
	else if (error == -EMFILE || error == -ENFILE)
		snprintf(text, text_bytes, "no file descriptor left for io_uring");
	else
		snprintf(text, text_bytes, "kernel %u.%u refuses io_uring: %s", probe->kernel_major,
			 probe->kernel_minor, strerror(-error));
}

/* The best set-up flags first; each step gives one up. */
static const struct {
	uint32_t flags;
	bool is_deferred;
} set_ups[] = {
	{ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG, true },
	{ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, false },
	{ IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, false },
	{ 0, false },
};

static int32_t set_up(struct io_uring *uring, uint32_t entries, uint32_t disabled, struct probe *probe)
{
	int32_t result = -EINVAL;

	for (size_t i = 0; i < sizeof set_ups / sizeof *set_ups && result == -EINVAL; i++) {
		struct io_uring_params params = { 0 };

		if (set_ups[i].is_deferred && (disabled & RW_FEATURE_DEFER_TASKRUN))
			continue;
		/* Room for more completions than submissions: multishot requests post many each. */
		params.cq_entries = entries * 4;
		params.flags = set_ups[i].flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
		result = io_uring_queue_init_params(entries, uring, &params);
		if (result == -EINVAL) {
			params.flags &= ~IORING_SETUP_SUBMIT_ALL; /* 5.18 */
			result = io_uring_queue_init_params(entries, uring, &params);
		}
		if (result == 0 && set_ups[i].is_deferred)
			probe->features |= RW_FEATURE_DEFER_TASKRUN;
	}
	return result;
}

static const uint8_t required_operations[] = {
	IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV, IORING_OP_ACCEPT,
	IORING_OP_CONNECT, IORING_OP_ASYNC_CANCEL, IORING_OP_TIMEOUT, IORING_OP_READ,
};

/* Multishot requests have no flag to ask for. Operations that came with the same release stand for them, rather
 * than version numbers: distributions carry newer io_uring code in old kernels. */
static bool read_operations(struct io_uring *uring, struct probe *probe)
{
	struct io_uring_probe *list = io_uring_get_probe_ring(uring);
	bool has_all = list != NULL;

	for (size_t i = 0; has_all && i < sizeof required_operations; i++)
		has_all = io_uring_opcode_supported(list, required_operations[i]);
	if (has_all && io_uring_opcode_supported(list, IORING_OP_SOCKET)) /* 5.19 */
		probe->features |= RW_FEATURE_MULTISHOT_ACCEPT;
	if (has_all && io_uring_opcode_supported(list, IORING_OP_SEND_ZC)) /* 6.0 */
		probe->features |= RW_FEATURE_MULTISHOT_RECEIVE;
	io_uring_free_probe(list);
	return has_all;
}

/* Whether a request goes through. Some seccomp profiles allow io_uring_setup and forbid io_uring_enter: better seen
 * now than by the first listen. Returns 0 or -errno. */
static int32_t try_request(struct io_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	struct io_uring_cqe *cqe;
	int32_t result;

	io_uring_prep_nop(sqe);
	result = io_uring_submit_and_wait(uring, 1);
	if (result >= 0)
		result = io_uring_peek_cqe(uring, &cqe);
	if (result == 0)
		io_uring_cqe_seen(uring, cqe);
	return result;
}

int32_t probe_open(struct io_uring *uring, uint32_t entries, uint32_t disabled, struct probe *probe, char *text,
		   size_t text_bytes)
{
	const uint32_t needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
	int32_t result;

	probe_kernel(probe);
	probe->features = 0;
	result = set_up(uring, entries, disabled, probe);
	if (result < 0) {
		explain(probe, result, text, text_bytes);
		return result;
	}
	if ((uring->features & needed) != needed || !read_operations(uring, probe)) {
		/* Seccomp filters and modules can also forbid the probe itself. */
		snprintf(text, text_bytes, is_kernel(probe, 5, 19)
			 ? "kernel %u.%u does not offer the io_uring operations of 5.19"
			 : "kernel %u.%u lacks provided-buffer rings (5.19)",
			 probe->kernel_major, probe->kernel_minor);
		io_uring_queue_exit(uring);
		return -ENOSYS;
	}
	result = try_request(uring);
	if (result < 0) {
		explain(probe, result, text, text_bytes);
		io_uring_queue_exit(uring);
		return result;
	}
	/* Saves a lookup of the ring's descriptor in each enter; no harm where it fails. */
	io_uring_register_ring_fd(uring);
	if (uring->features & IORING_FEAT_RECVSEND_BUNDLE)
		probe->features |= RW_FEATURE_RECEIVE_BUNDLE;
	/* Whether the kernel takes it is seen when the buffers are registered. */
	probe->features |= RW_FEATURE_BUFFER_INCREMENTAL;
	if (!(disabled & RW_FEATURE_PARKING) && wake_works())
		probe->features |= RW_FEATURE_PARKING;
	probe->features &= ~disabled;
	return 0;
}

int probe_describe(const struct probe *probe, char *text, size_t text_bytes)
{
	uint32_t features = probe->features;

	return snprintf(text, text_bytes, "kernel %u.%u%s%s%s%s%s", probe->kernel_major, probe->kernel_minor,
			features & RW_FEATURE_MULTISHOT_RECEIVE ? ", multishot" : ", single-shot receives",
			features & RW_FEATURE_BUFFER_INCREMENTAL ? ", incremental buffers" : "",
			features & RW_FEATURE_RECEIVE_BUNDLE ? ", bundles" : "",
			features & RW_FEATURE_DEFER_TASKRUN ? ", deferred task work" : "",
			features & RW_FEATURE_PARKING ? "" : ", no parking");
}
