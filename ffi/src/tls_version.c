/*
 * Which OpenSSL is in here, for people: it is linked statically, so nobody else can tell.
 */
#include "ringwire.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <string.h>

RW_API int32_t rw_tls_version(void *text, uint32_t text_bytes)
{
	const char *version = OpenSSL_version(OPENSSL_VERSION);
	size_t bytes = strlen(version);

	if (!text || text_bytes < bytes)
		return -EINVAL;
	memcpy(text, version, bytes);
	return (int32_t)bytes;
}
