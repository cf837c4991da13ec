/*
 * Why TLS has failed: OpenSSL's error queue and the result of the verification, as RW_TLS_ERROR_*.
 */
#include "tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

/* What we have found ourselves, and told the peer by an alert. 0: nothing special. */
static uint32_t error_of_check(SSL *ssl, int reason, uint32_t *detail)
{
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		if (tls_note_of(ssl)->is_pin_missing)
			return RW_TLS_ERROR_PIN_MISMATCH;
		*detail = (uint32_t)SSL_get_verify_result(ssl);
		return tls_trust_error(SSL_get_verify_result(ssl));
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return RW_TLS_ERROR_NO_CERTIFICATE;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNSUPPORTED_SSL_VERSION:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_INAPPROPRIATE_FALLBACK:
		return RW_TLS_ERROR_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_CIPHERS_AVAILABLE:
	case SSL_R_NO_CIPHERS_SPECIFIED:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
		return RW_TLS_ERROR_CIPHER;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return RW_TLS_ERROR_ALPN;
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
	case SSL_R_CA_MD_TOO_WEAK:
		return RW_TLS_ERROR_CERTIFICATE;
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return RW_TLS_ERROR_NOT_TLS;
	case SSL_R_WRONG_VERSION_NUMBER:
		/* Later on it is a peer that has lost its way. */
		return SSL_in_init(ssl) ? RW_TLS_ERROR_NOT_TLS : 0;
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return RW_TLS_ERROR_TRUNCATED;
	default:
		return 0;
	}
}

static uint32_t error_of_reason(SSL *ssl, int reason, uint32_t *detail)
{
	/* OpenSSL turns an alert of the peer's into a reason above this. */
	if (reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) {
		*detail = (uint32_t)(reason - SSL_AD_REASON_OFFSET);
		return RW_TLS_ERROR_ALERT;
	}
	return error_of_check(ssl, reason, detail);
}

/* The queue has the oldest first, which is nearest to the cause. */
static uint32_t error_of_queue(SSL *ssl, uint32_t *detail)
{
	uint32_t error = 0, other = 0;
	unsigned long code;

	while ((code = ERR_get_error()) != 0) {
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			error = ENOMEM;
		if (error == 0 && ERR_GET_LIB(code) == ERR_LIB_SSL) {
			error = error_of_reason(ssl, ERR_GET_REASON(code), detail);
			other = other ? other : (uint32_t)ERR_GET_REASON(code);
		}
	}
	if (error != 0)
		return error;
	*detail = other;
	return RW_TLS_ERROR_PROTOCOL;
}

uint32_t tls_session_error(SSL *ssl, int result, uint32_t *detail)
{
	uint32_t system_error = (uint32_t)errno, error = 0;

	*detail = 0;
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
	case SSL_ERROR_ZERO_RETURN:
		break;
	case SSL_ERROR_SYSCALL:
		error = system_error != 0 ? system_error : RW_TLS_ERROR_TRUNCATED;
		break;
	default:
		return error_of_queue(ssl, detail);
	}
	ERR_clear_error();
	return error;
}
