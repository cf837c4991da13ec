/*
 * TLS contexts: certificates, trust and parameters that connections share.
 */
#include "ring.h"

RW_API int32_t rw_tls_open(uint32_t role, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes)
{
	(void)role, (void)config, (void)config_bytes, (void)text, (void)text_bytes;
	return -ENOSYS;
}

RW_API int32_t rw_tls_update(uint32_t context, const void *config, uint32_t config_bytes, void *text, uint32_t text_bytes)
{
	(void)context, (void)config, (void)config_bytes, (void)text, (void)text_bytes;
	return -ENOSYS;
}

RW_API int32_t rw_tls_close(uint32_t context)
{
	(void)context;
	return -ENOSYS;
}
