/*
 * Fuzz target: the ABI as a whole. The input is a program: calls of the shim with good and bad arguments, on up to two
 * rings, mixed with what peers do on real sockets and with failures of memory and of the kernel. Every answer is held
 * against a ledger (model.h), every byte against the stream it belongs to (stream.h), and at the end nothing is left:
 * each connection closed exactly once, no descriptor, no file, no memory.
 */
#include "faults.h"
#include "model.h"
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RINGS 2u
#define OWN 3u
#define OWN_TLS 2u
/* Of those who expect TLS: another may take the port of one that is gone, but not one who expects none. */
#define TLS_HOST "127.0.0.3"
#define OPERATIONS_MAX 400
#define ROUNDS_MAX 400

enum end { END_IN_ORDER, END_ABORT, END_RING_CLOSE, END_THREAD };

struct session {
	struct input input;
	struct model models[RINGS];
	bool is_open[RINGS];
	int wake_fds[RINGS];
	struct address addresses[ADDRESSES_MAX]; /* of listeners, also of those that are gone */
	uint32_t address_count;
	int listeners[OWN];        /* the harness's own: TCP, abstract Unix, TCP for those who speak TLS */
	struct address listener_addresses[OWN];
	struct rlimit files;
	bool is_short_of_files;
	uint32_t pauses;           /* once: it costs the time of a hundred inputs */
	uint32_t contexts[2];      /* of TLS, by role; 0: not yet */
	bool is_tls_old;           /* TLS 1.2 */
	bool has_failed;           /* failures were injected: what is told may lack something */
	enum end end;
};

static struct model *pick_model(struct session *session, uint8_t choice)
{
	uint32_t which = choice >> 7;

	return session->is_open[which] ? &session->models[which] : session->is_open[0] ? &session->models[0] : NULL;
}

/* ── addresses ── */

static struct rw_endpoint *endpoint_of(struct model *model)
{
	struct rw_endpoint *endpoint = (struct rw_endpoint *)(model->block.bytes + RW_ENDPOINT_OFFSET);

	memset(endpoint, 0, sizeof *endpoint);
	return endpoint;
}

static void set_host(struct rw_endpoint *endpoint, uint32_t family, const char *host, uint32_t bytes)
{
	endpoint->family = family;
	endpoint->host_bytes = bytes;
	memcpy(endpoint->host, host, bytes);
}

/* The endpoint that leads to an address. */
static void aim_at(struct rw_endpoint *endpoint, const struct address *address)
{
	char text[INET6_ADDRSTRLEN];

	if (address->storage.ss_family == AF_UNIX) {
		const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
		uint32_t bytes = address->bytes - (uint32_t)offsetof(struct sockaddr_un, sun_path);
		if (name->sun_path[0] != 0)
			bytes = (uint32_t)strnlen(name->sun_path, bytes);
		set_host(endpoint, RW_FAMILY_UNIX, name->sun_path, bytes);
	} else if (address->storage.ss_family == AF_INET) {
		const struct sockaddr_in *name = (const struct sockaddr_in *)&address->storage;
		inet_ntop(AF_INET, &name->sin_addr, text, sizeof text);
		set_host(endpoint, RW_FAMILY_IPV4, text, (uint32_t)strlen(text));
		endpoint->port = ntohs(name->sin_port);
	} else {
		const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)&address->storage;
		inet_ntop(AF_INET6, &name->sin6_addr, text, sizeof text);
		set_host(endpoint, RW_FAMILY_IPV6, text, (uint32_t)strlen(text));
		endpoint->port = ntohs(name->sin6_port);
	}
}

static void choose_options(struct rw_endpoint *endpoint, struct input *input)
{
	static const uint32_t buffers[] = { 0, 1, 2048, 4096, 65536, 1u << 20, 0x7fffffff, UINT32_MAX };
	uint8_t choice = input_u8(input);

	endpoint->flags = choice & 31 & ~(uint32_t)RW_ENDPOINT_REUSE_PORT;
	if (choice & 32)
		endpoint->send_buffer_bytes = buffers[input_u8(input) % 8];
	if (choice & 64)
		endpoint->receive_buffer_bytes = buffers[input_u8(input) % 8];
	if (choice & 128) {
		endpoint->backlog = input_u8(input);
		endpoint->keep_alive_seconds = input_u16(input);
		endpoint->flags |= input_u32(input);
	}
}

/* Makes an endpoint one of TLS. */
static void set_tls(struct session *session, struct rw_endpoint *endpoint, uint32_t role)
{
	if (session->contexts[role] == 0)
		session->contexts[role] = secure_context(role, session->is_tls_old);
	endpoint->tls_context = session->contexts[role];
	endpoint->tls_timeout_ms = 5000;
	if (role == RW_TLS_CLIENT) {
		endpoint->tls_name_bytes = sizeof SECURE_NAME - 1;
		memcpy(endpoint->tls_name, SECURE_NAME, sizeof SECURE_NAME - 1);
	}
}

static int32_t call_address(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_address(id, a, b);
}

/* What rw_address says of a new listener, as an address to connect to. */
static void remember_address(struct session *session, struct model *model, uint32_t family, uint32_t handle)
{
	struct address *address = &session->addresses[session->address_count];
	char text[RW_TEXT_MAX_BYTES + 1];
	int32_t bytes = model_call(model, call_address, handle, RW_ADDRESS_LOCAL);

	if (session->address_count == ADDRESSES_MAX)
		return;
	REQUIRE(bytes > 0 && bytes <= (int32_t)RW_TEXT_MAX_BYTES, "rw_address of a listener: %d", bytes);
	memcpy(text, model->block.bytes + RW_TEXT_OFFSET, (size_t)bytes);
	text[bytes] = 0;
	*address = (struct address){ 0 };
	if (family == RW_FAMILY_UNIX) {
		struct sockaddr_un *name = (struct sockaddr_un *)&address->storage;
		name->sun_family = AF_UNIX;
		memcpy(name->sun_path, text, (size_t)bytes);
		address->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes + (text[0] != 0));
	} else {
		char *space = strchr(text, ' ');
		REQUIRE(space, "rw_address says \"%s\"", text);
		*space = 0;
		if (family == RW_FAMILY_IPV4) {
			struct sockaddr_in *name = (struct sockaddr_in *)&address->storage;
			name->sin_family = AF_INET;
			name->sin_port = htons((uint16_t)atoi(space + 1));
			REQUIRE(inet_pton(AF_INET, text, &name->sin_addr) == 1, "rw_address says \"%s\"", text);
			address->bytes = sizeof *name;
		} else {
			struct sockaddr_in6 *name = (struct sockaddr_in6 *)&address->storage;
			name->sin6_family = AF_INET6;
			name->sin6_port = htons((uint16_t)atoi(space + 1));
			REQUIRE(inet_pton(AF_INET6, text, &name->sin6_addr) == 1, "rw_address says \"%s\"", text);
			address->bytes = sizeof *name;
		}
	}
	session->address_count++;
}

/* Only the next call is meant to be short of descriptors: the fuzzer needs them too. */
static void limit_files(struct session *session)
{
	struct rlimit limit = session->files;

	if (!session->is_short_of_files)
		return;
	limit.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void free_files(struct session *session)
{
	setrlimit(RLIMIT_NOFILE, &session->files);
}

static void do_listen(struct session *session, struct model *model)
{
	struct rw_endpoint *endpoint = endpoint_of(model);
	uint8_t choice = input_u8(&session->input);
	uint32_t family, handle, before = session->address_count;
	char path[100];
	bool is_tls;
	int32_t result;

	choose_options(endpoint, &session->input);
	switch (choice % 5) {
	case 0:
	case 1:
		set_host(endpoint, RW_FAMILY_IPV4, "127.0.0.1", 9);
		break;
	case 2:
		set_host(endpoint, RW_FAMILY_IPV6, "::1", 3);
		break;
	case 3:
		snprintf(path, sizeof path, "%cfuzz-%d", 0, choice / 5 % 3);
		set_host(endpoint, RW_FAMILY_UNIX, path, 7);
		break;
	default:
		ground_path(path, sizeof path, choice / 5 % 2 ? "one" : "two");
		set_host(endpoint, RW_FAMILY_UNIX, path, (uint32_t)strlen(path));
		break;
	}
	is_tls = choice / 5 % 4 == 3 && model->layout.plain_bytes > 0;
	if (is_tls) {
		set_host(endpoint, RW_FAMILY_IPV4, TLS_HOST, sizeof TLS_HOST - 1);
		set_tls(session, endpoint, RW_TLS_SERVER);
	}
	family = endpoint->family;
	limit_files(session);
	result = model_listen(model, session->address_count);
	free_files(session);
	REQUIRE(result <= 0, "rw_listen: %d", result);
	if (result == 0) {
		handle = block_control(&model->block)[RW_FIELD_HANDLE];
		remember_address(session, model, family, handle);
		if (session->address_count > before)
			session->addresses[before].is_tls = is_tls;
	}
}

static void open_own_listener(struct session *session, uint32_t which)
{
	struct address *address = &session->listener_addresses[which];
	struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0harness" };
	int fd = socket(which == 1 ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (which == OWN_TLS)
		inet_pton(AF_INET, TLS_HOST, &loopback.sin_addr);
	address->bytes = sizeof address->storage;
	result = which == 1 ? bind(fd, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 8)
		       : bind(fd, (struct sockaddr *)&loopback, sizeof loopback);
	REQUIRE(result == 0 && listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&address->storage, &address->bytes) == 0,
		"the harness cannot listen: %s", strerror(errno));
	session->listeners[which] = fd;
}

static void do_connect(struct session *session, struct model *model)
{
	struct rw_endpoint *endpoint = endpoint_of(model);
	uint8_t choice = input_u8(&session->input);
	int32_t result;

	choose_options(endpoint, &session->input);
	if (choice % 4 == 0 && session->address_count > 0) {
		const struct address *address = &session->addresses[choice / 4 % session->address_count];
		aim_at(endpoint, address);
		/* Without TLS, alerts would come where bytes of a stream are expected. */
		if (address->is_tls && model->layout.plain_bytes == 0)
			return;
		if (address->is_tls)
			set_tls(session, endpoint, RW_TLS_CLIENT);
	} else if (choice % 4 == 1) { /* nobody is there */
		set_host(endpoint, RW_FAMILY_IPV4, "127.0.0.1", 9);
		endpoint->port = 1 + choice / 4;
	} else {
		uint32_t which = choice / 8 % 4 == 3 && model->layout.plain_bytes > 0 ? OWN_TLS : choice / 4 % 2;
		if (session->listeners[which] < 0)
			open_own_listener(session, which);
		aim_at(endpoint, &session->listener_addresses[which]);
		if (which == OWN_TLS)
			set_tls(session, endpoint, RW_TLS_CLIENT);
	}
	if (choice % 8 == 7) {
		endpoint->local_address_bytes = 9;
		memcpy(endpoint->local_address, choice & 64 ? "127.0.0.2" : "127.0.0.x", 9);
	}
	limit_files(session);
	result = model_connect(model);
	free_files(session);
	REQUIRE(result <= 0, "rw_connect: %d", result);
}

/* An endpoint of random bytes. Unix paths are kept inside the directory that is looked at in the end. */
static void do_wild_endpoint(struct session *session, struct model *model)
{
	struct rw_endpoint *endpoint = endpoint_of(model);
	uint8_t choice = input_u8(&session->input);
	uint32_t handle;

	input_bytes(&session->input, endpoint, offsetof(struct rw_endpoint, host));
	endpoint->family &= choice & 1 ? 7 : UINT32_MAX;
	endpoint->host_bytes &= choice & 2 ? 127 : UINT32_MAX;
	endpoint->local_address_bytes &= choice & 4 ? 63 : UINT32_MAX;
	endpoint->interface_bytes &= choice & 8 ? 15 : UINT32_MAX;
	endpoint->port &= choice & 16 ? 0xffff : UINT32_MAX;
	input_bytes(&session->input, endpoint->host, choice & 32 ? 24 : sizeof endpoint->host);
	input_bytes(&session->input, endpoint->local_address, 16);
	input_bytes(&session->input, endpoint->interface, 8);
	if (endpoint->family == RW_FAMILY_UNIX && endpoint->host[0] != 0) {
		char path[100];
		uint32_t bytes = ground_path(path, sizeof path, "wild");
		memcpy(endpoint->host, path, bytes);
		for (uint32_t i = bytes; i < sizeof endpoint->host; i++)
			if (endpoint->host[i] == '/')
				endpoint->host[i] = '_';
		endpoint->host_bytes = endpoint->host_bytes < bytes ? bytes : endpoint->host_bytes;
	}
	if (choice & 64) {
		model_connect(model);
	} else if (model_listen(model, ADDRESSES_MAX) == 0) {
		handle = block_control(&model->block)[RW_FIELD_HANDLE];
		model_call(model, call_address, handle, RW_ADDRESS_LOCAL);
	}
}

/* ── turns ── */

static void ignore_signal(int number)
{
	(void)number;
}

/* Waits without a limit; a signal every 2 ms must end it. */
static void turn_with_signals(struct model *model, uint32_t flags)
{
	/* To this thread, which may not be the only one. */
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2, ._sigev_un._tid = gettid() };
	struct itimerspec every = { .it_interval.tv_nsec = 2000000, .it_value.tv_nsec = 2000000 };
	timer_t timer;

	REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &every, NULL) == 0, "timer");
	model_turn(model, flags, -1);
	timer_delete(timer);
}

static void do_turn(struct session *session, struct model *model)
{
	static const int32_t waits[] = { 0, 0, 0, 1, 50, 300, 0, -1 };
	uint8_t choice = input_u8(&session->input);
	uint32_t flags = choice & 1 ? 0 : RW_TURN_RECYCLE;
	int32_t wait_us = waits[choice >> 2 & 7];

	if (choice & 2)
		flags |= RW_TURN_PARK;
	/* Past the pause after a failed accept. */
	if (session->is_short_of_files && choice >> 5 == 7 && !session->pauses++)
		wait_us = 110000;
	else
		limit_files(session);
	if (wait_us < 0)
		turn_with_signals(model, flags);
	else
		model_turn(model, flags, wait_us);
	free_files(session);
}

static void turn(struct model *model)
{
	model_turn(model, RW_TURN_RECYCLE, 0);
}

/* ── waking ── */

static int32_t call_wake_open(uint32_t id, uint32_t a, uint32_t b)
{
	(void)b;
	return rw_wake_open(id, a);
}

static int32_t call_wake_accept(uint32_t id, uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return rw_wake_accept(id);
}

static void do_wake_open(struct session *session, struct model *model)
{
	uint32_t which = (uint32_t)(model - session->models);
	uint8_t choice = input_u8(&session->input);
	uint32_t mode = choice % 4 == 3 ? choice : choice % 2;
	int32_t result = model_call(model, call_wake_open, mode, 0);

	REQUIRE(mode <= RW_WAKE_ABSTRACT || result == -EINVAL, "rw_wake_open takes mode %u", mode);
	if (model->is_wake_open)
		REQUIRE(result < 0, "rw_wake_open twice");
	if (result < 0)
		return;
	model->is_wake_open = true;
	if (mode == RW_WAKE_DESCRIPTOR) {
		session->wake_fds[which] = result;
	} else {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		memcpy(name.sun_path, model->block.bytes + RW_TEXT_OFFSET, (size_t)result);
		REQUIRE(name.sun_path[0] == 0, "the wake-up name is not abstract");
		if (choice & 64)
			REQUIRE(model_call(model, call_wake_accept, 0, 0) == -EAGAIN, "nobody has connected yet");
		REQUIRE(connect(fd, (struct sockaddr *)&name,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)result)) == 0, "wake-up name");
		session->wake_fds[which] = fd;
	}
}

/* A parked ring is woken by a connection that comes. */
static void do_park(struct session *session, struct model *model)
{
	uint32_t which = (uint32_t)(model - session->models), before;
	struct pollfd wake = { .fd = session->wake_fds[which], .events = POLLIN };
	struct slot *listener = model_pick(model, SLOT_LISTENING, input_u8(&session->input));
	uint8_t byte;

	if (wake.fd < 0)
		return;
	model_call(model, call_wake_accept, 0, 0);
	turn(model);
	if (model->broken)
		return;
	while (read(wake.fd, &byte, 1) > 0)
		;
	before = block_control(&model->block)[RW_FIELD_STAT_PARKS];
	model_turn(model, RW_TURN_RECYCLE | RW_TURN_PARK, 0);
	if (block_control(&model->block)[RW_FIELD_STAT_PARKS] == before || !listener ||
	    listener->state != SLOT_LISTENING || listener->tag >= session->address_count || session->has_failed)
		return;
	if (session->addresses[listener->tag].is_tls || !peer_connect(&session->addresses[listener->tag]))
		return;
	REQUIRE(poll(&wake, 1, 5000) == 1, "a parked ring was not woken");
	turn(model);
}

/* ── bad calls ── */

struct foreign_call {
	uint32_t id;
	int32_t result;
};

static void *call_from_elsewhere(void *pointer)
{
	struct foreign_call *call = pointer;

	call->result = rw_turn(call->id, 0, RW_TURN_RECYCLE, 0);
	return NULL;
}

static int32_t call_utf8(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_utf8(id, a, b);
}

static int32_t call_unmask_nothing(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_unmask(id, a, b, 0);
}

static int32_t call_turn_with(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_turn(id, 0, a, (int32_t)b);
}

static int32_t call_turn_count(uint32_t id, uint32_t a, uint32_t b)
{
	(void)b;
	return rw_turn(id, a, 0, 0);
}

static void do_bad_call(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input);
	uint32_t a = input_u32(&session->input), b = input_u32(&session->input);
	bool is_inside = a >= RW_CONTROL_BYTES && a <= model->block.size && b <= model->block.size - a;
	struct foreign_call call = { .id = model->id };
	pthread_t thread;

	switch (choice % 10) {
	case 0: /* a key of zeros: checks the range, changes nothing */
		REQUIRE((model_call(model, call_unmask_nothing, a, b) == 0) == is_inside, "rw_unmask %u+%u", a, b);
		break;
	case 1:
		REQUIRE((model_call(model, call_utf8, a, b) != -EINVAL) == is_inside, "rw_utf8 %u+%u", a, b);
		break;
	case 2:
		if (a <= (RW_TURN_RECYCLE | RW_TURN_PARK))
			break;
		REQUIRE(model_call(model, call_turn_with, a, 0) == -EINVAL, "rw_turn takes flags %u", a);
		break;
	case 3:
		if (a > model->layout.commands)
			REQUIRE(model_call(model, call_turn_count, a, 0) == -EINVAL, "rw_turn takes %u commands", a);
		break;
	case 4:
		if ((int32_t)b < -1)
			REQUIRE(model_call(model, call_turn_with, 0, b) == -EINVAL, "rw_turn waits %d", (int32_t)b);
		break;
	case 5:
		if (a == session->models[0].id || a == session->models[1].id)
			break;
		REQUIRE(rw_turn(a, 0, 0, 0) == -EINVAL && rw_listen(a) == -EINVAL && rw_connect(a) == -EINVAL &&
			rw_unlisten(a, b) == -EINVAL && rw_address(a, b, 0) == -EINVAL && rw_wake_open(a, 0) == -EINVAL &&
			rw_wake_accept(a) == -EINVAL && rw_unmask(a, b, 0, 0) == -EINVAL && rw_utf8(a, b, 0) == -EINVAL &&
			rw_ring_close(a) == -EINVAL, "ring %u is none", a);
		break;
	case 6:
		if (choice < 128)
			break; /* a thread costs the time of three inputs */
		REQUIRE(pthread_create(&thread, NULL, call_from_elsewhere, &call) == 0, "no thread");
		pthread_join(thread, NULL);
		REQUIRE(call.result == -EXDEV, "a turn from another thread: %d", call.result);
		break;
	case 7:
		model_call(model, call_address, a, b % 4);
		break;
	case 8: {
		struct slot *slot = model_pick(model, SLOT_OPEN, a);
		int32_t result = slot ? model_call(model, call_address, slot->handle, b) : 0;
		REQUIRE(!slot || b <= RW_ADDRESS_PEER || result == -EINVAL || result == -EBADF, "rw_address takes %u", b);
		REQUIRE(result <= (int32_t)RW_TEXT_MAX_BYTES, "rw_address: %d", result);
		break;
	}
	default: {
		struct slot *slot = model_pick(model, SLOT_OPEN, a);
		if (slot)
			model_unlisten(model, slot);
		break;
	}
	}
}

/* A record that nobody should write. None of them may reach the stream of a connection. */
static void do_garbage(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input);
	uint32_t op = choice & 1 ? input_u8(&session->input) % 8 : input_u32(&session->input);
	struct slot *slot = model_pick(model, choice & 2 ? SLOT_LISTENING : SLOT_OPEN, choice >> 2);
	uint32_t handle = slot && !(choice & 128) ? slot->handle : input_u32(&session->input);
	uint32_t a = input_u32(&session->input), b = input_u32(&session->input);

	/* A handle of the connection that had this slot before: sound commands, for nobody. */
	if (choice & 32 && handle == (slot ? slot->handle : 0)) {
		model_command(model, 1 + op % 5, handle ^ 1u << (RW_HANDLE_SLOT_BITS + a % 12), b % 2 ? model->block.send.offset : a % 2,
			      b % 128);
		return;
	}
	if (choice & 64)
		a = model->block.send.offset + a % 256;
	if (op == RW_COMMAND_SEND && a >= model->block.send.offset && b > 0)
		b = UINT32_MAX - b % 4096;
	model_command(model, op, handle, a, b);
}

static void do_fault(struct session *session)
{
	static const int errors[] = { EINTR, EBUSY, EAGAIN, ENOMEM, EINTR, EBUSY, EAGAIN, EBADF };
	uint8_t choice = input_u8(&session->input), count = input_u8(&session->input);

	session->has_failed = true;
	if (choice & 1)
		faults_of_submission(errors[choice >> 1 & 7], count & 128 ? 200u : count % 16u);
	else if (choice & 2)
		faults_of_memory(choice >> 2 & 7, count % 8u + 1);
	else
		session->is_short_of_files = !session->is_short_of_files;
}

/* ── the program ── */

static uint32_t choose_bytes(struct input *input)
{
	static const uint32_t sizes[] = { 1, 2, 125, 1024, 4095, 4096, 4097, 8192, 16384, 32768, 60000 };
	uint8_t choice = input_u8(input);

	return choice < 11 ? sizes[choice] : choice < 200 ? choice : (uint32_t)choice * 97;
}

static void do_command(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input), which = choice & 7;
	struct slot *slot = model_pick(model, SLOT_OPEN, choice >> 3);

	if (!slot)
		return;
	if (which < 4)
		model_send(model, slot, choose_bytes(&session->input));
	else
		model_command(model, (uint32_t[]){ RW_COMMAND_END, RW_COMMAND_PAUSE, RW_COMMAND_RESUME, RW_COMMAND_CLOSE }[which - 4],
			      slot->handle, which == 7 ? choice >> 3 & 1 : 0, 0);
}

static void do_peer(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	struct peer *peer = peer_pick(choice >> 3);
	int bytes = 2304;

	if (!peer)
		return;
	switch (choice & 7) {
	case 0:
	case 1:
	case 2:
		peer_send(peer, choose_bytes(&session->input));
		break;
	case 3:
		peer_receive(peer, choose_bytes(&session->input));
		break;
	case 4:
		peer_shut(peer);
		break;
	case 5:
		peer_close(peer, input_u8(&session->input) & 1);
		break;
	case 6:
		setsockopt(peer->fd, SOL_SOCKET, input_u8(&session->input) & 1 ? SO_RCVBUF : SO_SNDBUF, &bytes, sizeof bytes);
		break;
	default: /* many small pieces */
		for (uint32_t i = input_u8(&session->input) % 64; i > 0; i--)
			peer_send(peer, i);
		break;
	}
}

static void do_peer_connect(struct session *session, uint8_t how)
{
	const struct address *address;
	struct peer *peer;

	if (session->address_count == 0)
		return;
	address = &session->addresses[input_u8(&session->input) % session->address_count];
	peer = peer_connect(address);
	if (!peer || !address->is_tls)
		return;
	peer->is_wild = how == 3;
	if (!peer->is_wild)
		peer_secure(peer, false);
}

static void do_peer_accept(struct session *session, uint8_t how)
{
	bool is_tls = how >= 2 && session->listeners[OWN_TLS] >= 0;
	int listener = session->listeners[is_tls ? OWN_TLS : how & 1];
	struct peer *peer = listener >= 0 ? peer_accept(listener) : NULL;

	if (!peer || !is_tls)
		return;
	peer->is_wild = how == 3;
	if (!peer->is_wild)
		peer_secure(peer, true);
}

static void step(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	struct model *model = pick_model(session, choice);
	struct slot *listener;

	if (!model)
		return;
	switch (choice % 32) {
	case 0:
		do_listen(session, model);
		break;
	case 1:
		do_connect(session, model);
		break;
	case 2:
	case 3:
	case 4:
		do_peer_connect(session, choice >> 5 & 3);
		break;
	case 5:
	case 6:
		do_peer_accept(session, choice >> 5 & 3);
		break;
	case 7:
		listener = model_pick(model, SLOT_LISTENING, input_u8(&session->input));
		if (listener)
			model_unlisten(model, listener);
		break;
	case 8:
		do_wake_open(session, model);
		break;
	case 9:
		do_park(session, model);
		break;
	case 10:
		do_bad_call(session, model);
		break;
	case 11:
		do_garbage(session, model);
		break;
	case 12:
		do_fault(session);
		break;
	case 13:
		do_wild_endpoint(session, model);
		break;
	case 14:
		peers_receive_all();
		break;
	case 15:
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
		do_turn(session, model);
		break;
	case 21:
	case 22:
	case 23:
	case 24:
	case 25:
	case 26:
		do_peer(session);
		break;
	default:
		do_command(session, model);
		break;
	}
}

static void choose_layout(struct input *input, struct layout *layout)
{
	uint8_t choice = input_u8(input), more = input_u8(input);
	static const uint32_t queues[] = { 0, 100, 5000, 70000, 1u << 20, 1u << 20, 1u << 20, UINT32_MAX - 1 };

	*layout = (struct layout){
		.commands = choice & 1 ? 16 : 64,
		.events = choice & 2 ? 16 : 64,
		.buffer_bytes = choice & 4 ? 4096 : 16384,
		.buffers = choice & 8 ? 2 : 8,
		.send_bytes = choice & 16 ? 5000 : 65536,
		.connections = choice & 32 ? 3 : 16,
		.max_queued = queues[more & 7],
		.max_queued_total_kib = more & 8 ? 40 : 1u << 20,
		.entries = choice & 64 ? 8 : 32,
		.plain_bytes = more & 16 ? 0 : more & 32 ? 65536 : 262144,
		.disabled = choice & 128 ? input_u8(input) : 0,
	};
}

/* Closes everything with commands: each connection tells CLOSED, then nothing is left. */
static void end_in_order(struct session *session, struct model *model)
{
	for (struct slot *listener; (listener = model_pick(model, SLOT_LISTENING, 0));)
		model_unlisten(model, listener);
	for (uint32_t round = 0; round < ROUNDS_MAX && !model->broken; round++) {
		bool is_patient = session->end == END_IN_ORDER && round < 40;
		uint32_t count = model_count(model, SLOT_OPEN);

		if (count == 0 && round > 0)
			break;
		turn(model); /* takes the records that were left */
		for (uint32_t n = 0; n < model_count(model, SLOT_OPEN); n++) {
			struct slot *slot = model_pick(model, SLOT_OPEN, n);
			if (is_patient ? !slot->is_close_asked : !slot->is_abort_asked)
				model_command(model, RW_COMMAND_CLOSE, slot->handle, is_patient ? RW_CLOSE_FLUSH : RW_CLOSE_ABORT, 0);
		}
		turn(model);
		model_turn(model, RW_TURN_RECYCLE, round > 3 ? 200 : 0);
		/* The other ring may hold the other end. */
		for (uint32_t i = 0; i < RINGS; i++)
			if (session->is_open[i] && &session->models[i] != model)
				turn(&session->models[i]);
		for (uint8_t i = 0; i < OWN; i++)
			do_peer_accept(session, i);
		peers_receive_all();
	}
	if (model->broken)
		return;
	REQUIRE(model_count(model, SLOT_OPEN) == 0, "connections never told CLOSED");
	REQUIRE(block_control(&model->block)[RW_FIELD_STAT_CONNECTIONS] == 0, "%u connections are counted, none is there",
		block_control(&model->block)[RW_FIELD_STAT_CONNECTIONS]);
}

static void play(struct session *session)
{
	uint8_t how = input_u8(&session->input);

	session->end = (enum end[]){ END_IN_ORDER, END_IN_ORDER, END_ABORT, END_RING_CLOSE }[how & 3];
	if ((how & 0x1c) == 0x1c)
		session->end = END_THREAD;
	for (uint32_t i = 0; i < RINGS; i++) {
		struct layout layout;
		if (i > 0 && !(how & 32))
			break;
		if (how & 64 && i == 0)
			do_fault(session);
		choose_layout(&session->input, &layout);
		session->is_tls_old = layout.plain_bytes == 65536;
		session->is_open[i] = model_open(&session->models[i], &layout, how >> 7) > 0;
	}
	for (int i = 0; i < OPERATIONS_MAX && input_left(&session->input) > 0; i++)
		step(session);
	free_files(session);
	faults_clear();
	if (session->end == END_THREAD)
		return;
	for (uint32_t i = 0; i < RINGS; i++)
		if (session->is_open[i] && session->end != END_RING_CLOSE)
			end_in_order(session, &session->models[i]);
	peers_receive_all();
	if (session->end == END_IN_ORDER && !session->has_failed)
		peers_require_whole();
	for (uint32_t i = 0; i < RINGS; i++)
		if (session->is_open[i])
			model_close(&session->models[i]);
	for (uint32_t role = 0; role < 2; role++)
		if (session->contexts[role] != 0)
			REQUIRE(rw_tls_close(session->contexts[role]) == 0, "rw_tls_close");
}

static void *play_in_thread(void *session)
{
	play(session);
	return NULL;
}

static void clean_up(struct session *session)
{
	for (uint32_t i = 0; i < RINGS; i++) {
		if (session->is_open[i] && session->end == END_THREAD)
			model_abandon(&session->models[i]);
		if (session->wake_fds[i] >= 0)
			close(session->wake_fds[i]);
	}
	for (uint32_t i = 0; i < OWN; i++)
		if (session->listeners[i] >= 0)
			close(session->listeners[i]);
	peers_close();
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	(void)count;
	(void)arguments;
	ground_prepare();
	secure_prepare();
	sigaction(SIGUSR2, &action, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session session;
	int descriptors = ground_descriptors(), files;
	bool is_threaded = size > 0 && (data[0] & 0x1c) == 0x1c;
	pthread_t thread;

	session = (struct session){ .input = { data, data + size }, .wake_fds = { -1, -1 }, .listeners = { -1, -1, -1 } };
	getrlimit(RLIMIT_NOFILE, &session.files);
	streams_clear();
	peers_clear();
	faults_clear();
	if (is_threaded) {
		REQUIRE(pthread_create(&thread, NULL, play_in_thread, &session) == 0, "no thread");
		pthread_join(thread, NULL);
	} else {
		play(&session);
	}
	clean_up(&session);
	files = ground_files();
	REQUIRE(ground_descriptors() == descriptors, "%d descriptors, %d before", ground_descriptors(), descriptors);
	REQUIRE(files == 0, "%d socket files are left", files);
	return 0;
}
