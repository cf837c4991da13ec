/*
 * Reading the records of a TLS configuration. What they mean together is checked here too; what OpenSSL makes of them is not.
 */
#include "tls_context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL counts bytes in int, and no certificate file is anywhere near this. */
#define RECORD_MAX_BYTES (64u << 20)
#define FLAGS_KNOWN ((1u << 6) - 1)

int32_t tls_refuse(const struct tls_reason *reason, int32_t error, const char *format, ...)
{
	va_list arguments;

	if (reason->bytes > 0) {
		va_start(arguments, format);
		vsnprintf(reason->text, reason->bytes, format, arguments);
		va_end(arguments);
	}
	return error;
}

struct record {
	uint32_t kind, bytes;
	const uint8_t *at;
};

/* Takes the record at *offset. False: it does not fit. */
static bool next_record(const uint8_t *config, uint32_t config_bytes, uint32_t *offset, struct record *record)
{
	uint32_t left = config_bytes - *offset, padded;

	if (left < 8)
		return false;
	memcpy(&record->kind, config + *offset, 4);
	memcpy(&record->bytes, config + *offset + 4, 4);
	record->at = config + *offset + 8;
	left -= 8;
	if (record->bytes > left || record->bytes > RECORD_MAX_BYTES)
		return false;
	padded = (record->bytes + 3) & ~3u;
	/* The last one may come without what fills it up. */
	*offset += 8 + (padded > left ? left : padded);
	return true;
}

static bool is_text(const struct record *record)
{
	return record->bytes > 0 && !memchr(record->at, 0, record->bytes);
}

static bool is_alpn(const struct record *record)
{
	uint32_t at = 0;

	while (at < record->bytes) {
		if (record->at[at] == 0)
			return false;
		at += 1u + record->at[at];
	}
	return at == record->bytes && record->bytes > 0 && record->bytes <= 65535;
}

static bool is_version(uint32_t version)
{
	return version == TLS1_2_VERSION || version == TLS1_3_VERSION;
}

/* Host names without a root dot; one "*." in front. */
static bool is_pattern(const struct record *record)
{
	uint32_t skipped = record->bytes > 2 && memcmp(record->at, "*.", 2) == 0 ? 2 : 0;

	return record->bytes > skipped && record->bytes <= TLS_NAME_MAX && record->at[record->bytes - 1] != '.' &&
	       !memchr(record->at + skipped, '*', record->bytes - skipped) &&
	       tls_name_bytes((const char *)record->at + skipped, record->bytes - skipped) != 0;
}

/* A record that may stand once. */
static const char *take_once(struct tls_bytes *into, const struct record *record, bool is_right)
{
	if (into->is_given)
		return "given twice";
	if (!is_right)
		return "malformed";
	*into = (struct tls_bytes){ record->at, record->bytes, true };
	return NULL;
}

static const char *take_pair(uint32_t *first, uint32_t *second, const struct record *record)
{
	if (*first != 0)
		return "given twice";
	if (record->bytes != 8)
		return "malformed";
	memcpy(first, record->at, 4);
	memcpy(second, record->at + 4, 4);
	return is_version(*first) && is_version(*second) && *first <= *second ? NULL : "not TLS 1.2 to 1.3";
}

static const char *take_flags(struct tls_settings *settings, const struct record *record, bool *has_flags)
{
	if (*has_flags)
		return "given twice";
	if (record->bytes != 4)
		return "malformed";
	memcpy(&settings->flags, record->at, 4);
	*has_flags = true;
	return settings->flags & ~FLAGS_KNOWN ? "unknown" : NULL;
}

static const char *const kind_names[] = {
	[RW_TLS_FLAGS] = "flags", [RW_TLS_VERSIONS] = "versions", [RW_TLS_CERTIFICATE] = "certificate", [RW_TLS_KEY] = "key",
	[RW_TLS_PASSPHRASE] = "passphrase", [RW_TLS_NAME] = "server name", [RW_TLS_AUTHORITY] = "authority", [RW_TLS_ALPN] = "ALPN",
	[RW_TLS_CIPHERS] = "ciphers", [RW_TLS_CIPHER_SUITES] = "cipher suites", [RW_TLS_PIN] = "pin", [RW_TLS_KEY_LOG] = "key log",
};

/* Returns NULL, or what is wrong with the record. */
static const char *take(struct tls_settings *settings, const struct record *record, bool *has_flags)
{
	struct tls_identity *identity = &settings->identities[settings->identity_count - 1];

	switch (record->kind) {
	case RW_TLS_FLAGS:
		return take_flags(settings, record, has_flags);
	case RW_TLS_VERSIONS:
		return take_pair(&settings->lowest, &settings->highest, record);
	case RW_TLS_CERTIFICATE:
		return take_once(&identity->certificate, record, record->bytes > 0);
	case RW_TLS_KEY:
		return take_once(&identity->key, record, record->bytes > 0);
	case RW_TLS_PASSPHRASE:
		return take_once(&identity->passphrase, record, true);
	case RW_TLS_NAME:
		return take_once(&settings->identities[settings->identity_count++].name, record, is_pattern(record));
	case RW_TLS_AUTHORITY:
		return take_once(&settings->authorities[settings->authority_count++], record, record->bytes > 0);
	case RW_TLS_ALPN:
		return take_once(&settings->alpn, record, is_alpn(record));
	case RW_TLS_CIPHERS:
		return take_once(&settings->ciphers, record, is_text(record));
	case RW_TLS_CIPHER_SUITES:
		return take_once(&settings->cipher_suites, record, is_text(record));
	case RW_TLS_PIN:
		return take_once(&settings->pins[settings->pin_count++], record, record->bytes == TLS_PIN_BYTES);
	case RW_TLS_KEY_LOG:
		return take_once(&settings->key_log, record, is_text(record));
	default:
		return "unknown";
	}
}

/* Finds out how many there are of each, and whether the records fit together at all. */
static int32_t prepare(struct tls_settings *settings, const uint8_t *config, uint32_t config_bytes, const struct tls_reason *reason)
{
	uint32_t offset = 0, names = 0, authorities = 0, pins = 0;
	struct record record;

	while (offset < config_bytes) {
		if (!next_record(config, config_bytes, &offset, &record))
			return tls_refuse(reason, -EINVAL, "a record does not fit into the configuration");
		names += record.kind == RW_TLS_NAME;
		authorities += record.kind == RW_TLS_AUTHORITY;
		pins += record.kind == RW_TLS_PIN;
	}
	settings->identities = calloc(names + 1, sizeof *settings->identities);
	settings->authorities = calloc(authorities + 1, sizeof *settings->authorities);
	settings->pins = calloc(pins + 1, sizeof *settings->pins);
	settings->identity_count = 1;
	if (!settings->identities || !settings->authorities || !settings->pins)
		return tls_refuse(reason, -ENOMEM, "out of memory");
	return 0;
}

static int32_t check_identity(const struct tls_settings *settings, const struct tls_identity *identity, const struct tls_reason *reason)
{
	bool is_needed = settings->role == RW_TLS_SERVER;

	if (identity->certificate.is_given != identity->key.is_given)
		return tls_refuse(reason, -EINVAL, identity->key.is_given ? "there is a key, but no certificate"
								       : "there is a certificate, but no key");
	if (is_needed && !identity->key.is_given)
		return tls_refuse(reason, -EINVAL, "a server needs a certificate and its key");
	return 0;
}

static int32_t check_whole(const struct tls_settings *settings, const struct tls_reason *reason)
{
	bool is_server = settings->role == RW_TLS_SERVER;

	if (!is_server && settings->identity_count > 1)
		return tls_refuse(reason, -EINVAL, "certificates by server name are for servers");
	if (settings->flags & RW_TLS_REQUIRE && (!is_server || !(settings->flags & RW_TLS_VERIFY)))
		return tls_refuse(reason, -EINVAL, "a certificate can be required only of clients, and only when it is verified");
	if (is_server && settings->pin_count > 0 && !(settings->flags & RW_TLS_VERIFY))
		return tls_refuse(reason, -EINVAL, "pins for clients need that their certificates are asked for");
	for (uint32_t i = 0; i < settings->identity_count; i++) {
		int32_t error = check_identity(settings, &settings->identities[i], reason);

		if (error != 0)
			return error;
	}
	return 0;
}

int32_t tls_settings_read(struct tls_settings *settings, uint32_t role, const uint8_t *config, uint32_t config_bytes,
			  const struct tls_reason *reason)
{
	uint32_t offset = 0;
	bool has_flags = false;
	struct record record;
	int32_t error;

	*settings = (struct tls_settings){ .role = role };
	error = prepare(settings, config, config_bytes, reason);
	if (error != 0)
		return error;
	while (offset < config_bytes && next_record(config, config_bytes, &offset, &record)) {
		const char *problem = take(settings, &record, &has_flags);

		if (!problem)
			continue;
		if (record.kind < sizeof kind_names / sizeof *kind_names && kind_names[record.kind])
			return tls_refuse(reason, -EINVAL, "%s: %s", kind_names[record.kind], problem);
		return tls_refuse(reason, -EINVAL, "record of kind %u: %s", record.kind, problem);
	}
	if (settings->lowest == 0)
		settings->lowest = TLS1_2_VERSION, settings->highest = TLS1_3_VERSION;
	return check_whole(settings, reason);
}

void tls_settings_free(struct tls_settings *settings)
{
	free(settings->identities);
	free(settings->authorities);
	free(settings->pins);
}
