/*
 * Kernel TLS: the kernel makes and opens the records of a socket, which then sends and receives like any other.
 *
 * OpenSSL 3.0 hands over what it can by itself: sending (TLS 1.2 and 1.3) and receiving (1.2). Receiving of TLS 1.3 is handed over
 * here, right after the handshake: the secret comes out of the key log, and no record has been read under it yet, so they count from 0.
 * What is no application data the kernel shows to recvmsg() only; a plain receive fails with EIO until then.
 */
#include "tls_connection.h"

#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TLS_1_3_VERSION
#define TLS_1_3_VERSION 0x0304
#endif

#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22
#define RECORD_CHANGE_CIPHER_SPEC 20
#define ALERT_FATAL 2
#define ALERT_CLOSE_NOTIFY 0
#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_BAD_RECORD_MAC 20
#define ALERT_USER_CANCELED 90
#define ALERT_NO_RENEGOTIATION 100
#define MESSAGE_HELLO_REQUEST 0
#define MESSAGE_NEW_SESSION_TICKET 4
#define MESSAGE_KEY_UPDATE 24

#define KEY_BYTES_MAX 32u
#define IV_BYTES 12u

static bool is_there;

/* A socket that is not connected is refused only after the module was found, and with another error. */
static void look(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	is_there = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 || errno == ENOTCONN;
	close(fd);
}

/* Whether this kernel has kTLS. Found out once per process, so that OpenSSL need not try with every connection. */
bool ktls_exists(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look);
	return is_there;
}

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

void tls_secret_line(const SSL *ssl, const char *line)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const char *label = SSL_is_server(ssl) ? "CLIENT_TRAFFIC_SECRET_0 " : "SERVER_TRAFFIC_SECRET_0 ";
	const char *hex;
	size_t bytes;

	if (!tls || strncmp(line, label, strlen(label)) != 0)
		return;
	/* Between the two the random number of the client. */
	hex = strchr(line + strlen(label), ' ');
	if (!hex)
		return;
	hex++;
	bytes = strspn(hex, "0123456789abcdef") / 2;
	if (bytes > SECRET_BYTES_MAX)
		return;
	for (size_t i = 0; i < bytes; i++)
		tls->secret[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	tls->secret_bytes = (uint8_t)bytes;
}

/* HKDF-Expand-Label without context (RFC 8446 section 7.1), for no more than one block of the hash. */
static bool expand(const struct tls *tls, const EVP_MD *hash, const char *label, uint8_t *out, uint32_t bytes)
{
	uint8_t info[32], block[EVP_MAX_MD_SIZE];
	uint32_t label_bytes = (uint32_t)strlen(label), at = 0, block_bytes = 0;
	bool is_done;

	info[at++] = (uint8_t)(bytes >> 8);
	info[at++] = (uint8_t)bytes;
	info[at++] = (uint8_t)label_bytes;
	memcpy(info + at, label, label_bytes);
	at += label_bytes;
	info[at++] = 0; /* no context */
	info[at++] = 1; /* the first block */
	is_done = HMAC(hash, tls->secret, tls->secret_bytes, info, at, block, &block_bytes) && block_bytes >= bytes;
	if (is_done)
		memcpy(out, block, bytes);
	OPENSSL_cleanse(block, sizeof block);
	return is_done;
}

union crypto_info {
	struct tls12_crypto_info_aes_gcm_128 aes_128;
	struct tls12_crypto_info_aes_gcm_256 aes_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

/* Fills in what the kernel wants to know of a cipher of TLS 1.3. Returns its size, or 0. */
static socklen_t describe(uint32_t cipher, const uint8_t *key, const uint8_t *iv, union crypto_info *info)
{
	*info = (union crypto_info){ 0 };
	info->aes_128.info.version = TLS_1_3_VERSION;
	switch (cipher) {
	case TLS1_3_CK_AES_128_GCM_SHA256 & 0xffff:
		info->aes_128.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(info->aes_128.key, key, sizeof info->aes_128.key);
		memcpy(info->aes_128.salt, iv, sizeof info->aes_128.salt);
		memcpy(info->aes_128.iv, iv + sizeof info->aes_128.salt, sizeof info->aes_128.iv);
		return sizeof info->aes_128;
	case TLS1_3_CK_AES_256_GCM_SHA384 & 0xffff:
		info->aes_256.info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(info->aes_256.key, key, sizeof info->aes_256.key);
		memcpy(info->aes_256.salt, iv, sizeof info->aes_256.salt);
		memcpy(info->aes_256.iv, iv + sizeof info->aes_256.salt, sizeof info->aes_256.iv);
		return sizeof info->aes_256;
	case TLS1_3_CK_CHACHA20_POLY1305_SHA256 & 0xffff:
		info->chacha20.info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(info->chacha20.key, key, sizeof info->chacha20.key);
		memcpy(info->chacha20.iv, iv, sizeof info->chacha20.iv);
		return sizeof info->chacha20;
	default:
		return 0;
	}
}

/* Hands receiving of TLS 1.3 over to the kernel. */
static bool give_receiving(struct tls *tls)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	const EVP_MD *hash = SSL_CIPHER_get_handshake_digest(cipher);
	uint32_t id = SSL_CIPHER_get_id(cipher) & 0xffff;
	uint32_t key_bytes = id == (TLS1_3_CK_AES_128_GCM_SHA256 & 0xffff) ? 16 : 32;
	uint8_t key[KEY_BYTES_MAX], iv[IV_BYTES];
	union crypto_info info;
	socklen_t bytes = 0;
	int fd = tls->connection->fd;
	bool is_given = false;

	if (hash && tls->secret_bytes == (uint32_t)EVP_MD_get_size(hash) &&
	    expand(tls, hash, "tls13 key", key, key_bytes) && expand(tls, hash, "tls13 iv", iv, IV_BYTES))
		bytes = describe(id, key, iv, &info);
	if (bytes > 0 &&
	    (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 || errno == EEXIST))
		is_given = setsockopt(fd, SOL_TLS, TLS_RX, &info, bytes) == 0;
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(iv, sizeof iv);
	OPENSSL_cleanse(&info, sizeof info);
	return is_given;
}

/* The handshake is done: looks what OpenSSL has handed over, and does what it could not. */
void ktls_take_over(struct tls *tls)
{
	bool is_possible = !(tls->connection->flags & FLAG_STREAM_UNIX) && ktls_exists();

	tls->is_kernel_send = BIO_get_ktls_send(SSL_get_wbio(tls->ssl));
	tls->is_kernel_receive = BIO_get_ktls_recv(SSL_get_rbio(tls->ssl));
	if (is_possible && !tls->is_kernel_receive && (tls_session_flags(tls->ssl) & RW_TLS_KERNEL_RECEIVE) &&
	    SSL_version(tls->ssl) == TLS1_3_VERSION && !SSL_has_pending(tls->ssl))
		tls->is_kernel_receive = give_receiving(tls);
	OPENSSL_cleanse(tls->secret, sizeof tls->secret);
	tls->secret_bytes = 0;
	ERR_clear_error();
}

/* Sends a record that is not application data. Returns how many bytes of it, or -1 with errno. */
int ktls_send_record(struct tls *tls, uint8_t type, const void *data, size_t bytes)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof type)];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)data, bytes };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_TLS;
	head->cmsg_type = TLS_SET_RECORD_TYPE;
	head->cmsg_len = CMSG_LEN(sizeof type);
	*CMSG_DATA(head) = type;
	return (int)sendmsg(tls->connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Ends a connection with an alert of our own, where the kernel would send it. */
static void refuse(struct ring *ring, struct connection *connection, uint8_t alert, uint32_t error)
{
	const uint8_t record[] = { ALERT_FATAL, alert };
	socklen_t bytes = sizeof(int);
	int unused;

	/* The kernel keeps the error of a record that it could not open, and would answer the alert with it. */
	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &unused, &bytes);
	if (connection->tls->is_kernel_send && connection->queued_bytes == 0 && !(connection->flags & FLAG_DRAINING))
		ktls_send_record(connection->tls, RECORD_ALERT, record, sizeof record);
	tls_fail(ring, connection, error, 0);
}

/* Ends a connection because its keys are to change and the kernel has them: with a goodbye, for nobody has done anything wrong. */
void ktls_refuse_keys(struct ring *ring, struct connection *connection)
{
	if (connection->queued_bytes == 0 && !(connection->flags & (FLAG_SENDING | FLAG_DRAINING)))
		tls_goodbye(ring, connection);
	tls_fail(ring, connection, RW_TLS_ERROR_KEY_UPDATE, 0);
}

/* Goes through messages of a handshake that come after it. They may be cut up among records in any way. Returns 0, or the
 * RW_TLS_ERROR_* that one of them means. */
static uint32_t read_messages(struct tls *tls, const uint8_t *data, size_t bytes)
{
	while (bytes > 0) {
		const uint8_t *head = tls->message_head;

		if (tls->message_left > 0) {
			size_t part = bytes < tls->message_left ? bytes : tls->message_left;
			tls->message_left -= (uint32_t)part;
			data += part;
			bytes -= part;
			continue;
		}
		tls->message_head[tls->message_head_bytes++] = *data++;
		bytes--;
		if (tls->message_head_bytes < sizeof tls->message_head)
			continue;
		tls->message_head_bytes = 0;
		tls->message_left = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
		if (head[0] == MESSAGE_KEY_UPDATE)
			return RW_TLS_ERROR_KEY_UPDATE;
		/* A server may ask for a new handshake (TLS 1.2); not to answer is allowed. */
		if (head[0] != MESSAGE_NEW_SESSION_TICKET && head[0] != MESSAGE_HELLO_REQUEST)
			return RW_TLS_ERROR_PROTOCOL;
	}
	return 0;
}

static void read_record(struct ring *ring, struct connection *connection, uint8_t type, const uint8_t *data, size_t bytes)
{
	uint32_t error;

	switch (type) {
	case RECORD_ALERT:
		if (bytes == 2 && data[1] == ALERT_CLOSE_NOTIFY)
			tls_ended(ring, connection);
		else if (bytes == 2 && data[1] != ALERT_USER_CANCELED && data[1] != ALERT_NO_RENEGOTIATION)
			tls_fail(ring, connection, RW_TLS_ERROR_ALERT, data[1]);
		else if (bytes != 2)
			refuse(ring, connection, ALERT_UNEXPECTED_MESSAGE, RW_TLS_ERROR_PROTOCOL);
		break;
	case RECORD_HANDSHAKE:
		error = read_messages(connection->tls, data, bytes);
		if (error == RW_TLS_ERROR_KEY_UPDATE)
			ktls_refuse_keys(ring, connection);
		else if (error != 0)
			refuse(ring, connection, ALERT_UNEXPECTED_MESSAGE, error);
		break;
	case RECORD_CHANGE_CIPHER_SPEC:
		break;
	default:
		refuse(ring, connection, ALERT_UNEXPECTED_MESSAGE, RW_TLS_ERROR_PROTOCOL);
		break;
	}
}

/* Receiving from the kernel has failed: the record that is next cannot be opened, or the socket is broken. */
void ktls_failed(struct ring *ring, struct connection *connection, int32_t error)
{
	switch (error) {
	case EBADMSG:
	case EMSGSIZE:
	case EINVAL:
		refuse(ring, connection, ALERT_BAD_RECORD_MAC, RW_TLS_ERROR_PROTOCOL);
		break;
	case EKEYEXPIRED:
		refuse(ring, connection, ALERT_UNEXPECTED_MESSAGE, RW_TLS_ERROR_KEY_UPDATE);
		break;
	default:
		connection_fail(ring, connection, error);
		break;
	}
}

/* A record that is not application data is next: takes it, then goes on receiving. */
void ktls_control(struct ring *ring, struct connection *connection)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(uint8_t))];
	} control = { 0 };
	struct iovec part = { ring->tls->gathered, sizeof ring->tls->gathered };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t bytes = recvmsg(connection->fd, &message, MSG_DONTWAIT);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	if (bytes < 0 && errno != EAGAIN && errno != EINTR)
		ktls_failed(ring, connection, errno);
	else if (bytes > 0 && head && head->cmsg_level == SOL_TLS && head->cmsg_type == TLS_GET_RECORD_TYPE)
		read_record(ring, connection, *CMSG_DATA(head), ring->tls->gathered, (size_t)bytes);
	receive_rearm(ring, connection);
}
