/*
 * Where rings listen and connect: TCP and Unix sockets, and what is no endpoint at all.
 */
#include "pair.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TEST(a_refused_connect_is_told_with_closed)
{
	struct rig rig;
	uint16_t port;
	int listener = peer_listen(&port);
	uint32_t handle;

	close(listener);
	rig_open(&rig, NULL);
	handle = rig_connect(&rig, port);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, handle).a, ECONNREFUSED);
	CHECK_EQUAL(rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	rig_close(&rig);
}

TEST(unlisten_refuses_at_once_and_lets_connections_live)
{
	struct pair pair;
	char got[2];
	int fd;

	open_pair(&pair, NULL);
	CHECK_EQUAL(rw_unlisten(pair.rig.id, pair.listener), 0);
	CHECK_EQUAL(rw_unlisten(pair.rig.id, pair.listener), -EBADF);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(peer_try_connect(fd, pair.port) < 0);
	close(fd);
	rig_send(&pair.rig, pair.server, "ok", 2);
	rig_turn(&pair.rig, 0);
	CHECK_EQUAL(peer_read(pair.peer, got, 2), 2);
	/* The port can be had again right away. */
	rig_endpoint(&pair.rig, RW_FAMILY_IPV4, "127.0.0.1", pair.port);
	CHECK_EQUAL(rw_listen(pair.rig.id), 0);
	rig_endpoint(&pair.rig, RW_FAMILY_IPV4, "127.0.0.1", pair.port);
	CHECK_EQUAL(rw_listen(pair.rig.id), -EADDRINUSE);
	close_pair(&pair);
}

TEST(unix_sockets_listen_connect_and_clean_up)
{
	struct rig rig;
	struct stat status;
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "build/life.sock" };
	uint32_t listener, client;
	uint8_t got[3];
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);

	/* A file left behind by a dead program is no obstacle. */
	unlink(name.sun_path);
	CHECK(bind(stale, (struct sockaddr *)&name, sizeof name) == 0);
	close(stale);
	rig_open(&rig, NULL);
	rig_endpoint(&rig, RW_FAMILY_UNIX, name.sun_path, 0);
	CHECK_EQUAL(rw_listen(rig.id), 0);
	listener = rig.control[RW_FIELD_HANDLE];
	/* One that is in use is. */
	CHECK_EQUAL(rw_listen(rig.id), -EADDRINUSE);
	CHECK_EQUAL(rw_connect(rig.id), 0);
	client = rig.control[RW_FIELD_HANDLE];
	rig_send(&rig, client, "abc", 3);
	rig_receive(&rig, 0, got, 3);
	CHECK_EQUAL(rw_address(rig.id, client, RW_ADDRESS_PEER), strlen(name.sun_path));
	CHECK(strcmp(rig_text(&rig), name.sun_path) == 0);
	CHECK_EQUAL(rw_unlisten(rig.id, listener), 0);
	CHECK(stat(name.sun_path, &status) < 0);
	rig_close(&rig);
}

/* The longest time, ns, for which a ring of this process polls network cards; 0 when none does, -1 where the kernel does not tell. */
static long long busy_poll_ns(void)
{
	DIR *folder = opendir("/proc/self/fdinfo");
	long long most = -1, ns;
	char path[300], line[200];

	CHECK(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof line, file))
			if (sscanf(line, "napi_busy_poll_dt: %lld", &ns) == 1 && ns > most)
				most = ns;
			else if (strncmp(line, "NAPI:", 5) == 0 && most < 0)
				most = 0;
		if (file)
			fclose(file);
	}
	closedir(folder);
	return most;
}

TEST(waits_of_a_ring_poll_network_cards_as_long_as_any_endpoint_asks_for)
{
	struct rig rig;
	struct rw_endpoint *endpoint;
	int32_t result;

	if (test_is_valgrind())
		test_skip("valgrind knows no such registration");
	rig_open(&rig, NULL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 0);
	CHECK_EQUAL(rw_listen(rig.id), 0);
	if (busy_poll_ns() < 0)
		test_skip("this kernel does not tell what its rings poll");
	CHECK_EQUAL(busy_poll_ns(), 0);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 0);
	endpoint->busy_poll_us = 50;
	result = rw_listen(rig.id);
	if (result == -EOPNOTSUPP)
		test_skip("this kernel polls no network cards for a ring");
	CHECK_EQUAL(result, 0);
	CHECK_EQUAL(busy_poll_ns(), 50000);
	endpoint->busy_poll_us = 70;
	CHECK_EQUAL(rw_listen(rig.id), 0);
	endpoint->busy_poll_us = 20;
	CHECK_EQUAL(rw_listen(rig.id), 0);
	CHECK_EQUAL(busy_poll_ns(), 70000);
	rig_close(&rig);
}

TEST(bad_endpoints_are_refused_with_their_reason)
{
	struct rig rig;
	struct rw_endpoint *endpoint;

	rig_open(&rig, NULL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "localhost", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, RW_FAMILY_IPV6, "127.0.0.1", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, 9, "127.0.0.1", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EAFNOSUPPORT);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 65536);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->host_bytes = 300;
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->local_address_bytes = 9;
	memcpy(endpoint->local_address, "192.0.2.1", 9);
	CHECK_EQUAL(rw_connect(rig.id), -EADDRNOTAVAIL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->interface_bytes = 7;
	memcpy(endpoint->interface, "no-such", 7);
	CHECK_EQUAL(rw_connect(rig.id), -ENODEV);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "192.0.2.1", 1);
	CHECK_EQUAL(rw_listen(rig.id), -EADDRNOTAVAIL);
	rig_endpoint(&rig, RW_FAMILY_UNIX, "/nonexistent/x", 1);
	CHECK_EQUAL(rw_listen(rig.id), -ENOENT);
	rig_close(&rig);
}
