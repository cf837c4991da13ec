/*
 * TLS contexts: handles, server names, updates, key log, descriptions.
 */
#include "test.h"
#include "tls_parties.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void *open_elsewhere(void *handle)
{
	int32_t error = 0, own = rw_tls_open(RW_TLS_CLIENT, NULL, 0, NULL, 0);
	struct tls_context *taken = tls_context_take(*(uint32_t *)handle, RW_TLS_CLIENT, &error);

	if (taken || error != -EXDEV || rw_tls_close(*(uint32_t *)handle) != -EXDEV ||
	    rw_tls_update(*(uint32_t *)handle, NULL, 0, NULL, 0) != -EXDEV || own <= 0)
		return NULL;
	*(uint32_t *)handle = (uint32_t)own; /* left open */
	return handle;
}

TEST(a_tls_context_has_a_role_belongs_to_its_thread_and_ends_with_it)
{
	uint32_t client = open_client(0), foreign = client;
	struct tls_context *context;
	pthread_t thread;
	void *result;
	int32_t error = 0;

	CHECK(!tls_context_take(client, RW_TLS_SERVER, &error));
	CHECK_EQUAL(error, -EINVAL);
	CHECK_EQUAL(pthread_create(&thread, NULL, open_elsewhere, &foreign), 0);
	pthread_join(thread, &result);
	CHECK(result);
	CHECK_EQUAL(rw_tls_close(foreign), -EINVAL);
	context = tls_context_take(client, RW_TLS_CLIENT, &error);
	CHECK(context);
	CHECK_EQUAL(rw_tls_close(client), 0);
	CHECK_EQUAL(rw_tls_close(client), -EINVAL);
	CHECK(!tls_context_take(client, RW_TLS_CLIENT, &error));
	CHECK_EQUAL(tls_context_flags(context), RW_TLS_VERIFY);
	tls_context_drop(context);
	CHECK_EQUAL(rw_tls_close(0), -EINVAL);
	CHECK_EQUAL(rw_tls_close(UINT32_MAX), -EINVAL);
	CHECK_EQUAL(rw_tls_update(client, NULL, 0, NULL, 0), -EINVAL);
}

TEST(a_session_outlives_its_context)
{
	uint32_t client = open_client(RW_TLS_RESUME), server_context = open_server(RW_TLS_RESUME);
	struct pair pair;

	pair_make(&pair, client, server_context, "a.example", 443);
	CHECK_EQUAL(rw_tls_close(client), 0);
	CHECK_EQUAL(rw_tls_close(server_context), 0);
	pair_shake(&pair);
	pair_exchange(&pair);
	pair_free(&pair);
}

TEST(the_number_of_tls_contexts_is_limited)
{
	static uint32_t handles[RW_TLS_CONTEXT_LIMIT + 1];
	uint32_t count = 0;
	char text[100];
	int32_t result;

	if (test_is_valgrind())
		test_skip("thousands of contexts take minutes under valgrind");
	while ((result = rw_tls_open(RW_TLS_CLIENT, NULL, 0, text, sizeof text)) > 0)
		handles[count++] = (uint32_t)result;
	CHECK_EQUAL(result, -EMFILE);
	CHECK(strstr(text, "4095"));
	CHECK(count <= RW_TLS_CONTEXT_LIMIT && count > RW_TLS_CONTEXT_LIMIT - 10);
	while (count > 0)
		CHECK_EQUAL(rw_tls_close(handles[--count]), 0);
}

static const char *shown_to(uint32_t client, uint32_t server_context, const char *name)
{
	static char common_name[64];
	struct pair pair;
	X509 *shown;

	pair_make(&pair, client, server_context, name, 443);
	pair_shake(&pair);
	CHECK(pair.client.is_done && pair.server.is_done);
	CHECK(strcmp(end_line(&pair.server, "name"), name) == 0);
	CHECK(strcmp(end_line(&pair.client, "name"), name) == 0);
	shown = SSL_get0_peer_certificate(pair.client.ssl);
	X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, common_name, sizeof common_name);
	pair_free(&pair);
	return common_name;
}

TEST(a_server_shows_the_certificate_of_the_name_that_is_asked_for)
{
	struct identity wild;
	struct configuration configuration;
	uint32_t client, context;

	server_configuration(&configuration, 0);
	identity_make(&wild, &(struct wanted){ .common_name = "wild", .issuer = &parties.authority });
	configuration_text(&configuration, RW_TLS_NAME, "*.Example.org");
	configuration_identity(&configuration, &wild);
	configuration_text(&configuration, RW_TLS_NAME, "b.example.org");
	configuration_identity(&configuration, &parties.other);
	context = configuration_open(&configuration, RW_TLS_SERVER);
	configuration.used = 0;
	client = configuration_open(&configuration, RW_TLS_CLIENT); /* verifies nothing */
	CHECK(strcmp(shown_to(client, context, "b.example.org"), "other") == 0);
	CHECK(strcmp(shown_to(client, context, "B.EXAMPLE.ORG"), "other") == 0);
	CHECK(strcmp(shown_to(client, context, "c.example.org"), "wild") == 0);
	CHECK(strcmp(shown_to(client, context, "d.c.example.org"), "server") == 0);
	CHECK(strcmp(shown_to(client, context, "example.org"), "server") == 0);
	CHECK(strcmp(shown_to(client, context, "elsewhere"), "server") == 0);
	rw_tls_close(client);
	rw_tls_close(context);
	identity_free(&wild);
}

TEST(an_update_holds_for_handshakes_that_begin_from_then_on)
{
	struct configuration configuration;
	uint32_t client = open_client(0), context = open_server(0);
	struct pair begun;
	char text[100];

	pair_make(&begun, client, context, "a.example", 443);
	configuration.used = 0;
	configuration_identity(&configuration, &parties.other);
	CHECK_EQUAL(rw_tls_update(context, configuration.bytes, configuration.used, text, sizeof text), 0);
	pair_shake(&begun);
	pair_exchange(&begun);
	pair_free(&begun);
	pair_expect(client, context, "b.example", 0, 0);
	/* One that is refused changes nothing. */
	CHECK_EQUAL(rw_tls_update(context, configuration.bytes, 3, text, sizeof text), -EINVAL);
	CHECK(strstr(text, "does not fit"));
	pair_expect(client, context, "b.example", 0, 0);
	rw_tls_close(client);
	rw_tls_close(context);
}

TEST(secrets_are_appended_to_the_key_log_file)
{
	char path[256], text[4096];
	struct configuration configuration;
	uint32_t client, context = open_server(0);
	struct stat status;
	FILE *file;
	size_t bytes;

	test_path(path, sizeof path, "key-log");
	close(mkstemp(path));
	unlink(path);
	client_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_KEY_LOG, path);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	for (int i = 0; i < 2; i++)
		pair_expect(client, context, "a.example", 0, 0);
	rw_tls_close(client);
	rw_tls_close(context);
	CHECK_EQUAL(stat(path, &status), 0);
	CHECK_EQUAL(status.st_mode & 0777, 0600);
	file = fopen(path, "r");
	bytes = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	unlink(path);
	text[bytes] = 0;
	CHECK(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
	CHECK(strstr(text, "SERVER_HANDSHAKE_TRAFFIC_SECRET "));
	/* Five lines a handshake, each of them whole. */
	CHECK_EQUAL(text[bytes - 1], '\n');
	bytes = 0;
	for (char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		bytes++;
	CHECK_EQUAL(bytes, 10);
}

TEST(a_description_needs_room_and_keeps_its_lines_apart)
{
	uint32_t client, context = open_server(0);
	struct configuration configuration = { .used = 0 };
	struct pair pair;
	char text[256];

	client = configuration_open(&configuration, RW_TLS_CLIENT);
	pair_make(&pair, client, context, "a.example", 443);
	/* A name as no honest client sends it. */
	CHECK_EQUAL(SSL_set_tlsext_host_name(pair.client.ssl, "a\nktls_tx 1"), 1);
	pair_shake(&pair);
	CHECK(strcmp(end_line(&pair.server, "name"), "a?ktls_tx?1") == 0);
	for (size_t room = 0; room < 78; room++) {
		memset(text, 'x', sizeof text);
		CHECK_EQUAL(tls_session_describe(pair.server.ssl, text, room), 0);
		CHECK_EQUAL(text[room], 'x');
	}
	CHECK_EQUAL(tls_session_certificate(pair.server.ssl, text, sizeof text), 0);
	CHECK_EQUAL(tls_session_certificate(pair.client.ssl, text, 0), i2d_X509(parties.server.certificate, NULL));
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

TEST(a_forked_child_finds_no_tls_contexts)
{
	uint32_t client = open_client(0);
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(rw_tls_close(client) == -EXDEV && rw_tls_open(RW_TLS_CLIENT, NULL, 0, NULL, 0) > 0 ? 0 : 1);
	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 0);
	CHECK_EQUAL(rw_tls_close(client), 0);
}
