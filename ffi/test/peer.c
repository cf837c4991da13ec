/*
 * The other side: plain blocking sockets, and small facts about this process.
 */
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int peer_try_connect(int fd, uint16_t port)
{
	struct sockaddr_in name = loopback(port);

	return connect(fd, (struct sockaddr *)&name, sizeof name);
}

int peer_connect(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 20 };

	CHECK(fd >= 0);
	/* A byte that never comes fails the one test instead of hanging the run. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	CHECK(peer_try_connect(fd, port) == 0);
	return fd;
}

int peer_listen(uint16_t *port)
{
	struct sockaddr_in name = loopback(0);
	socklen_t bytes = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 1024) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&name, &bytes) == 0);
	*port = ntohs(name.sin_port);
	return fd;
}

void peer_write(int fd, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	while (bytes > 0) {
		ssize_t written = send(fd, from, bytes, MSG_NOSIGNAL);
		CHECK(written > 0);
		from += written;
		bytes -= (size_t)written;
	}
}

size_t peer_read(int fd, void *data, size_t bytes)
{
	size_t have = 0;

	while (have < bytes) {
		ssize_t got = recv(fd, (uint8_t *)data + have, bytes - have, 0);
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	return have;
}

int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void run_in_thread(void *(*run)(void *))
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, run, NULL), 0);
	pthread_join(thread, NULL);
}

void threads_leave_nothing(void *(*run)(void *))
{
	int descriptors = count_descriptors();

	test_needs_uring(); /* no thread but the runner's may skip */
	for (int i = 0; i < 3; i++)
		run_in_thread(run);
	CHECK_EQUAL(count_descriptors(), descriptors);
}

bool may_open(uint32_t descriptors)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < descriptors && limit.rlim_max >= descriptors) {
		limit.rlim_cur = descriptors;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur >= descriptors;
}

void fill_random(void *data, size_t bytes, uint64_t seed)
{
	uint8_t *to = data;
	uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;

	for (size_t i = 0; i < bytes; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		to[i] = (uint8_t)(state >> 24);
	}
}

uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
