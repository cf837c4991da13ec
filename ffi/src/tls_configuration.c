/*
 * What OpenSSL needs to know, made of what a configuration says. Servers have one SSL_CTX for each name: they differ in nothing but
 * certificate and key, so that it does not matter which of them OpenSSL asks once the name is known.
 */
#include "tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Forward secrecy always; what the kernel can do (AES-GCM) first, and the shorter key before the longer: 128 bits suffice. */
#define DEFAULT_CIPHERS \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384"
#define DEFAULT_CIPHER_SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/* RSA and DH from 2,048 bits, no SHA-1 signatures. */
#define SECURITY_LEVEL 2
#define KEY_LOG_LINE_MAX 512u

static SSL_CTX *find_named(const struct tls_configuration *configuration, const char *name)
{
	const char *rest = strchr(name, '.');
	SSL_CTX *wildcard = NULL;

	for (uint32_t i = 0; i < configuration->named_count; i++) {
		const struct tls_named *named = &configuration->named[i];

		if (strcasecmp(named->name, name) == 0)
			return named->ssl;
		if (rest && rest != name && named->name[0] == '*' && strcasecmp(named->name + 1, rest) == 0)
			wildcard = named->ssl;
	}
	return wildcard;
}

/* A name that nobody has here gets the first certificate: the client knows best whether that will do. */
static int choose_name(SSL *ssl, int *alert, void *unused)
{
	struct tls_note *note = tls_note_of(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *named;

	(void)alert, (void)unused;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	snprintf(note->name, sizeof note->name, "%s", name);
	named = find_named(note->configuration, name);
	if (named)
		SSL_set_SSL_CTX(ssl, named);
	return SSL_TLSEXT_ERR_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_bytes, const unsigned char *in, unsigned in_bytes,
			   void *unused)
{
	const struct tls_configuration *ours = tls_note_of(ssl)->configuration;
	unsigned char *chosen;

	(void)unused;
	if (SSL_select_next_proto(&chosen, out_bytes, ours->alpn, ours->alpn_bytes, in, in_bytes) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* TLS 1.3 sessions come as tickets at any time after the handshake, those of TLS 1.2 at its end. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_note *note = tls_note_of(ssl);

	/* After an update that trusts others, what was agreed on before must not be resumed. */
	if (memcmp(note->configuration->trust_digest, note->context->configuration->trust_digest, TLS_DIGEST_BYTES) != 0 ||
	    note->name[0] == 0)
		return 0;
	tls_cache_put(&note->context->cache, note->name, note->port, session);
	return 1;
}

static void log_key(const SSL *ssl, const char *line)
{
	const struct tls_configuration *configuration = tls_note_of(ssl)->configuration;
	char text[KEY_LOG_LINE_MAX];
	int bytes;

	if (configuration->key_log >= 0) {
		/* One write a line: other processes may append to the same file. */
		bytes = snprintf(text, sizeof text, "%s\n", line);
		if (bytes < (int)sizeof text)
			(void)!write(configuration->key_log, text, (size_t)bytes);
		OPENSSL_cleanse(text, sizeof text);
	}
	if (configuration->flags & RW_TLS_KERNEL_RECEIVE)
		tls_secret_line(ssl, line);
}

static char *copy_text(const struct tls_bytes *bytes)
{
	return strndup((const char *)bytes->at, bytes->bytes);
}

static int32_t use_ciphers(SSL_CTX *ssl, const struct tls_settings *settings, const struct tls_reason *reason)
{
	char *ciphers = settings->ciphers.is_given ? copy_text(&settings->ciphers) : strdup(DEFAULT_CIPHERS);
	char *suites = settings->cipher_suites.is_given ? copy_text(&settings->cipher_suites) : strdup(DEFAULT_CIPHER_SUITES);
	int32_t error = 0;

	if (!ciphers || !suites)
		error = tls_refuse(reason, -ENOMEM, "out of memory");
	else if (SSL_CTX_set_cipher_list(ssl, ciphers) != 1)
		error = tls_refuse(reason, -EINVAL, "ciphers: OpenSSL knows none of these for TLS 1.2");
	else if (SSL_CTX_set_ciphersuites(ssl, suites) != 1)
		error = tls_refuse(reason, -EINVAL, "cipher suites: OpenSSL does not know all of these for TLS 1.3");
	free(ciphers);
	free(suites);
	ERR_clear_error();
	return error;
}

static void use_options(SSL_CTX *ssl, const struct tls_settings *settings)
{
	uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

	if (settings->role == RW_TLS_SERVER)
		options |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
	if (!(settings->flags & RW_TLS_RESUME))
		options |= SSL_OP_NO_TICKET;
	if (settings->flags & (RW_TLS_KERNEL_SEND | RW_TLS_KERNEL_RECEIVE))
		options |= SSL_OP_ENABLE_KTLS;
	SSL_CTX_set_options(ssl, options);
	/* The chain is what the configuration says, not what OpenSSL finds among the authorities. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
}

static bool use_sessions(SSL_CTX *ssl, const struct tls_configuration *configuration)
{
	bool is_resuming = configuration->flags & RW_TLS_RESUME;

	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (configuration->role == RW_TLS_CLIENT && is_resuming) {
		SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ssl, keep_session);
	}
	if (configuration->role == RW_TLS_CLIENT)
		return true;
	/* A ticket carries this along: one given by other rules about clients is worth nothing. */
	if (SSL_CTX_set_session_id_context(ssl, configuration->trust_digest, TLS_DIGEST_BYTES) != 1)
		return false;
	if (is_resuming)
		tls_ticket_use(ssl);
	return is_resuming || SSL_CTX_set_num_tickets(ssl, 0) == 1;
}

static bool use_protocols(SSL_CTX *ssl, const struct tls_configuration *configuration)
{
	if (configuration->alpn_bytes == 0)
		return true;
	if (configuration->role == RW_TLS_CLIENT)
		return SSL_CTX_set_alpn_protos(ssl, configuration->alpn, configuration->alpn_bytes) == 0;
	SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
	return true;
}

/* An SSL_CTX that speaks as this identity. */
static SSL_CTX *make(const struct tls_configuration *configuration, const struct tls_settings *settings,
		     const struct tls_identity *identity, int32_t *error, const struct tls_reason *reason)
{
	SSL_CTX *ssl = SSL_CTX_new(settings->role == RW_TLS_SERVER ? TLS_server_method() : TLS_client_method());

	if (!ssl || SSL_CTX_set_min_proto_version(ssl, (int)settings->lowest) != 1 ||
	    SSL_CTX_set_max_proto_version(ssl, (int)settings->highest) != 1 || !use_sessions(ssl, configuration) ||
	    !use_protocols(ssl, configuration)) {
		*error = tls_refuse(reason, -ENOMEM, "out of memory");
		SSL_CTX_free(ssl);
		return NULL;
	}
	SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
	/* For programs whose own list has DHE. */
	SSL_CTX_set_dh_auto(ssl, 1);
	use_options(ssl, settings);
	if (settings->role == RW_TLS_SERVER)
		SSL_CTX_set_tlsext_servername_callback(ssl, choose_name);
	/* OpenSSL writes these lines digit by digit: a twentieth of a resumed handshake, for nothing where the kernel has no TLS. */
	if (configuration->key_log >= 0 || (configuration->flags & RW_TLS_KERNEL_RECEIVE && ktls_exists()))
		SSL_CTX_set_keylog_callback(ssl, log_key);
	*error = use_ciphers(ssl, settings, reason);
	if (*error == 0)
		*error = tls_identity_use(ssl, identity, reason);
	if (*error == 0)
		*error = tls_trust_use(ssl, settings, reason);
	if (*error != 0) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	return ssl;
}

static bool add_digest(EVP_MD_CTX *digest, uint32_t kind, const struct tls_bytes *bytes)
{
	uint32_t head[2] = { kind, bytes->bytes };

	return EVP_DigestUpdate(digest, head, sizeof head) == 1 && EVP_DigestUpdate(digest, bytes->at, bytes->bytes) == 1;
}

static bool make_digest(struct tls_configuration *configuration, const struct tls_settings *settings)
{
	uint32_t flags = settings->flags & (RW_TLS_VERIFY | RW_TLS_REQUIRE | RW_TLS_SYSTEM_ROOTS);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool is_good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		       EVP_DigestUpdate(digest, &flags, sizeof flags) == 1;

	for (uint32_t i = 0; i < settings->authority_count && is_good; i++)
		is_good = add_digest(digest, RW_TLS_AUTHORITY, &settings->authorities[i]);
	for (uint32_t i = 0; i < settings->pin_count && is_good; i++)
		is_good = add_digest(digest, RW_TLS_PIN, &settings->pins[i]);
	if (settings->role == RW_TLS_CLIENT && is_good)
		is_good = add_digest(digest, RW_TLS_CERTIFICATE, &settings->identities[0].certificate);
	is_good = is_good && EVP_DigestFinal_ex(digest, configuration->trust_digest, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return is_good;
}

/* What is kept of the settings beside OpenSSL. */
static bool copy_settings(struct tls_configuration *configuration, const struct tls_settings *settings)
{
	configuration->pins = malloc((size_t)settings->pin_count * TLS_PIN_BYTES + 1);
	configuration->alpn = malloc(settings->alpn.bytes + 1u);
	configuration->named = calloc(settings->identity_count, sizeof *configuration->named);
	if (!configuration->pins || !configuration->alpn || !configuration->named)
		return false;
	for (uint32_t i = 0; i < settings->pin_count; i++)
		memcpy(configuration->pins + (size_t)i * TLS_PIN_BYTES, settings->pins[i].at, TLS_PIN_BYTES);
	configuration->pin_count = settings->pin_count;
	if (settings->alpn.bytes > 0)
		memcpy(configuration->alpn, settings->alpn.at, settings->alpn.bytes);
	configuration->alpn_bytes = settings->alpn.bytes;
	return make_digest(configuration, settings);
}

static int32_t open_key_log(struct tls_configuration *configuration, const struct tls_settings *settings, const struct tls_reason *reason)
{
	char *path;
	int result;

	if (!settings->key_log.is_given)
		return 0;
	path = copy_text(&settings->key_log);
	if (!path)
		return tls_refuse(reason, -ENOMEM, "out of memory");
	/* Not blocking: a pipe that nobody reads must not hold up a handshake. */
	configuration->key_log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	result = errno;
	free(path);
	if (configuration->key_log >= 0)
		return 0;
	return tls_refuse(reason, -EINVAL, "the key log file cannot be opened: %s", strerror(result));
}

static int32_t add_named(struct tls_configuration *configuration, const struct tls_settings *settings,
			 const struct tls_identity *identity, const struct tls_reason *reason)
{
	struct tls_named *named = &configuration->named[configuration->named_count];
	int32_t error = 0;

	for (uint32_t i = 0; i < configuration->named_count; i++)
		if (strlen(configuration->named[i].name) == identity->name.bytes &&
		    strncasecmp(configuration->named[i].name, (const char *)identity->name.at, identity->name.bytes) == 0)
			return tls_refuse(reason, -EINVAL, "server name: %s given twice", configuration->named[i].name);
	named->name = copy_text(&identity->name);
	if (!named->name)
		return tls_refuse(reason, -ENOMEM, "out of memory");
	configuration->named_count++;
	named->ssl = make(configuration, settings, identity, &error, reason);
	return error;
}

struct tls_configuration *tls_configuration_new(const struct tls_settings *settings, int32_t *error, const struct tls_reason *reason)
{
	struct tls_configuration *configuration = calloc(1, sizeof *configuration);

	if (!configuration) {
		*error = tls_refuse(reason, -ENOMEM, "out of memory");
		return NULL;
	}
	*configuration = (struct tls_configuration){ .references = 1, .role = settings->role, .flags = settings->flags, .key_log = -1 };
	*error = copy_settings(configuration, settings) ? 0 : tls_refuse(reason, -ENOMEM, "out of memory");
	if (*error == 0)
		*error = open_key_log(configuration, settings, reason);
	if (*error == 0)
		configuration->ssl = make(configuration, settings, &settings->identities[0], error, reason);
	for (uint32_t i = 1; i < settings->identity_count && *error == 0; i++)
		*error = add_named(configuration, settings, &settings->identities[i], reason);
	ERR_clear_error();
	if (*error != 0) {
		tls_configuration_drop(configuration);
		return NULL;
	}
	return configuration;
}

struct tls_configuration *tls_configuration_share(struct tls_configuration *configuration)
{
	configuration->references++;
	return configuration;
}

void tls_configuration_drop(struct tls_configuration *configuration)
{
	if (--configuration->references > 0)
		return;
	for (uint32_t i = 0; i < configuration->named_count; i++) {
		SSL_CTX_free(configuration->named[i].ssl);
		free(configuration->named[i].name);
	}
	SSL_CTX_free(configuration->ssl);
	if (configuration->key_log >= 0)
		close(configuration->key_log);
	free(configuration->named);
	free(configuration->pins);
	free(configuration->alpn);
	free(configuration);
}
