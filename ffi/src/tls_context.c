/*
 * TLS contexts: handles of what connections share, made of a configuration that an update replaces.
 */
#include "tls_context.h"

#include "handle_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tls_slot {
	struct handle handle;
	struct tls_context *context;
};

static void release(struct handle *item)
{
	struct tls_slot *slot = (struct tls_slot *)item;

	tls_context_drop(slot->context);
	slot->context = NULL;
}

static struct handle_table contexts = { .limit = RW_TLS_CONTEXT_LIMIT, .item_bytes = sizeof(struct tls_slot), .release = release };

__attribute__((constructor)) static void watch(void)
{
	handle_table_watch(&contexts);
}

struct tls_context *tls_context_take(uint32_t handle, uint32_t role, int32_t *error)
{
	struct tls_slot *slot = (struct tls_slot *)handle_find(&contexts, handle, error);

	if (slot && slot->context->role == role)
		return tls_context_share(slot->context);
	if (slot)
		*error = -EINVAL;
	return NULL;
}

struct tls_context *tls_context_share(struct tls_context *context)
{
	context->references++;
	return context;
}

void tls_context_drop(struct tls_context *context)
{
	if (!context || --context->references > 0)
		return;
	tls_configuration_drop(context->configuration);
	tls_cache_clear(&context->cache);
	tls_ticket_forget(&context->tickets);
	free(context);
}

uint32_t tls_context_flags(const struct tls_context *context)
{
	return context->configuration->flags;
}

bool tls_context_takes_name(const struct tls_context *context, const char *name, uint32_t name_bytes)
{
	if (name_bytes == 0)
		return !(context->configuration->flags & RW_TLS_VERIFY);
	return tls_name_bytes(name, name_bytes) != 0;
}

static struct tls_configuration *configure(uint32_t role, const void *config, uint32_t config_bytes, const struct tls_reason *reason,
					   int32_t *error)
{
	struct tls_configuration *configuration = NULL;
	struct tls_settings settings;

	if (!tls_start()) {
		*error = tls_refuse(reason, -ENOMEM, "OpenSSL does not start");
		return NULL;
	}
	*error = tls_settings_read(&settings, role, config, config_bytes, reason);
	if (*error == 0)
		configuration = tls_configuration_new(&settings, error, reason);
	tls_settings_free(&settings);
	return configuration;
}

static bool is_room_for_text(const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes)
{
	if ((!config && config_bytes > 0) || (!text && text_bytes > 0))
		return false;
	if (text_bytes > 0)
		*(char *)text = 0;
	return true;
}

RW_API int32_t rw_tls_open(uint32_t role, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes)
{
	struct tls_reason reason = { text, text_bytes };
	struct tls_context *context;
	struct tls_slot *slot;
	int32_t error;

	if (role > RW_TLS_SERVER || !is_room_for_text(config, config_bytes, text, text_bytes))
		return -EINVAL;
	context = calloc(1, sizeof *context);
	if (!context)
		return tls_refuse(&reason, -ENOMEM, "out of memory");
	context->references = 1;
	context->role = role;
	context->configuration = configure(role, config, config_bytes, &reason, &error);
	if (!context->configuration) {
		free(context);
		return error;
	}
	slot = (struct tls_slot *)handle_take(&contexts, &error);
	if (!slot) {
		tls_context_drop(context);
		return error == -EMFILE ? tls_refuse(&reason, error, "this process has %u TLS contexts already, which is the limit",
						     RW_TLS_CONTEXT_LIMIT)
					: tls_refuse(&reason, error, "out of memory");
	}
	slot->context = context;
	return handle_publish(&contexts, &slot->handle);
}

RW_API int32_t rw_tls_update(uint32_t handle, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes)
{
	struct tls_reason reason = { text, text_bytes };
	struct tls_configuration *configuration, *old;
	struct tls_context *context;
	struct tls_slot *slot;
	int32_t error;

	if (!is_room_for_text(config, config_bytes, text, text_bytes))
		return -EINVAL;
	slot = (struct tls_slot *)handle_find(&contexts, handle, &error);
	if (!slot)
		return error;
	context = slot->context;
	configuration = configure(context->role, config, config_bytes, &reason, &error);
	if (!configuration)
		return error;
	old = context->configuration;
	/* Whom to trust has changed: so has whom to go on with. */
	if (memcmp(old->trust_digest, configuration->trust_digest, TLS_DIGEST_BYTES) != 0)
		tls_cache_clear(&context->cache);
	context->configuration = configuration;
	tls_configuration_drop(old);
	return 0;
}

RW_API int32_t rw_tls_close(uint32_t handle)
{
	int32_t error;
	struct handle *item = handle_find(&contexts, handle, &error);

	if (!item)
		return error;
	handle_close(&contexts, item);
	return 0;
}
