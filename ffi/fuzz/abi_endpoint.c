/*
 * Endpoints, good and wild: who listens, who connects, and what addresses they are told.
 */
#include "abi_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

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

int32_t call_address(uint32_t id, uint32_t a, uint32_t b)
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
void limit_files(struct session *session)
{
	struct rlimit limit = session->files;

	if (!session->is_short_of_files)
		return;
	limit.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void free_files(struct session *session)
{
	setrlimit(RLIMIT_NOFILE, &session->files);
}

void do_listen(struct session *session, struct model *model)
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

void open_own_listener(struct session *session, uint32_t which)
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

void do_connect(struct session *session, struct model *model)
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
void do_wild_endpoint(struct session *session, struct model *model)
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
