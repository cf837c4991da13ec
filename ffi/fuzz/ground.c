/*
 * The ground on which targets with sockets stand: no way out of the process, and counts of what it holds.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char directory[64];

static void leave(void)
{
	ground_files();
	rmdir(directory);
}

/* A network namespace holds nothing but its own loopback: ports of other programs cannot be hit, nor the world.
 * Without the right to make one there is no fuzzing: an input may connect anywhere. */
static void isolate_network(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		fprintf(stderr, "Cannot make a network namespace (%s): run as root or allow user namespaces.\n",
			strerror(errno));
		_exit(3);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
		perror("Cannot read the flags of the loopback device");
		_exit(3);
	}
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) {
		perror("Cannot bring the loopback device up");
		_exit(3);
	}
	close(fd);
}

/* Makes the many closed connections of a fuzz run give their ports back at once. */
static void shorten_waits(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_max_tw_buckets", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "64", 2) != 2)
		perror("tcp_max_tw_buckets");
	close(fd);
}

void ground_prepare(void)
{
	const char *base = getenv("TMPDIR");

	signal(SIGPIPE, SIG_IGN);
	isolate_network();
	shorten_waits();
	snprintf(directory, sizeof directory, "%.40s/ringwire-fuzz-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
	if (!mkdtemp(directory)) {
		perror("Cannot make a directory");
		_exit(3);
	}
	atexit(leave);
}

static int count_entries(const char *path, bool is_removing)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int count = 0;

	if (!listing)
		return 0;
	while ((entry = readdir(listing))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (is_removing)
			unlinkat(dirfd(listing), entry->d_name, 0);
	}
	closedir(listing);
	return count;
}

int ground_descriptors(void)
{
	return count_entries("/proc/self/fd", false);
}

int ground_files(void)
{
	return count_entries(directory, true);
}

uint32_t ground_path(char *out, size_t out_bytes, const char *name)
{
	return (uint32_t)snprintf(out, out_bytes, "%s/%s", directory, name);
}

uint64_t ground_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}
