/*
 * What the system trusts: read once per process, by whoever needs it first, and again when it has changed.
 *
 * SSL_CERT_FILE and SSL_CERT_DIR (a list with colons) say where, as everywhere; without them it is the first there is of the
 * files that distributions have.
 */
#include "tls_context.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Gentoo */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* older ones of those */
	"/etc/ssl/ca-bundle.pem",                            /* SUSE */
	"/etc/ssl/cert.pem",                                 /* Alpine */
};

#define PLACES_MAX 16u

/* Where the roots come from, and how that looked when they were read. */
struct places {
	char *text; /* what the paths point into */
	const char *paths[PLACES_MAX];
	struct stat seen[PLACES_MAX];
	uint32_t count;
};

static pthread_mutex_t roots_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct places places;
static STACK_OF(X509) *roots;
static X509_STORE *roots_store;

static void renew_after_fork(void)
{
	pthread_mutex_init(&roots_mutex, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, renew_after_fork);
}

static const char *environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static void add_place(struct places *into, const char *path)
{
	if (into->count < PLACES_MAX && *path && stat(path, &into->seen[into->count]) == 0)
		into->paths[into->count++] = path;
}

/* Returns false when there is no memory. */
static bool find_places(struct places *into)
{
	const char *file = environment("SSL_CERT_FILE"), *directories = environment("SSL_CERT_DIR");
	char *rest, *path;

	memset(into, 0, sizeof *into);
	if (!file && !directories) {
		for (uint32_t i = 0; i < sizeof bundles / sizeof *bundles && into->count == 0; i++)
			add_place(into, bundles[i]);
		return true;
	}
	if (asprintf(&into->text, "%s:%s", directories ? directories : "", file ? file : "") < 0) {
		into->text = NULL;
		return false;
	}
	/* The file is the last, and may have colons. */
	rest = into->text;
	path = into->text + strlen(directories ? directories : "");
	*path++ = 0;
	add_place(into, path);
	while (directories && (path = strsep(&rest, ":")) != NULL)
		add_place(into, path);
	return true;
}

static bool is_same(const struct places *a, const struct places *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct stat *x = &a->seen[i], *y = &b->seen[i];

		if (strcmp(a->paths[i], b->paths[i]) != 0 || x->st_dev != y->st_dev || x->st_ino != y->st_ino ||
		    x->st_size != y->st_size || x->st_mtim.tv_sec != y->st_mtim.tv_sec || x->st_mtim.tv_nsec != y->st_mtim.tv_nsec)
			return false;
	}
	return true;
}

/* Adds what a file has; one bad certificate must not cost the others. */
static void read_file(STACK_OF(X509) *into, const char *path)
{
	BIO *bio = BIO_new_file(path, "r");

	while (bio && !BIO_eof(bio)) {
		X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, (void *)"");

		if (certificate && !sk_X509_push(into, certificate))
			X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
}

/* "0a1b2c3d.0": what OpenSSL looks for in such a directory. */
static bool is_hash_name(const char *name)
{
	for (int i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[8] == '.' && isdigit((unsigned char)name[9]);
}

static void read_directory(STACK_OF(X509) *into, const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char file[4096];

	while (directory && (entry = readdir(directory)) != NULL)
		if (is_hash_name(entry->d_name) && snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file)
			read_file(into, file);
	if (directory)
		closedir(directory);
}

static bool add_all(X509_STORE *store, STACK_OF(X509) *certificates)
{
	for (int i = 0; i < sk_X509_num(certificates); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(certificates, i)) != 1)
			return false;
	return true;
}

/* Under the mutex. Takes over found. */
static int32_t read_places(struct places *found)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();

	for (uint32_t i = 0; certificates && i < found->count; i++) {
		if (S_ISDIR(found->seen[i].st_mode))
			read_directory(certificates, found->paths[i]);
		else
			read_file(certificates, found->paths[i]);
	}
	if (!certificates || !store || sk_X509_num(certificates) == 0 || !add_all(store, certificates)) {
		int32_t error = certificates && store && sk_X509_num(certificates) == 0 ? -ENOENT : -ENOMEM;

		sk_X509_pop_free(certificates, X509_free);
		X509_STORE_free(store);
		free(found->text);
		return error;
	}
	sk_X509_pop_free(roots, X509_free);
	X509_STORE_free(roots_store);
	free(places.text);
	roots = certificates;
	roots_store = store;
	places = *found;
	return 0;
}

/* Under the mutex. */
static int32_t load(const struct tls_reason *reason)
{
	struct places found;
	int32_t error = find_places(&found) ? 0 : -ENOMEM;

	if (error == 0 && found.count > 0 && is_same(&found, &places)) {
		free(found.text);
		return 0;
	}
	if (error == 0)
		error = read_places(&found);
	ERR_clear_error();
	if (error == -ENOMEM)
		return tls_refuse(reason, error, "out of memory");
	if (error == -ENOENT && (environment("SSL_CERT_FILE") || environment("SSL_CERT_DIR")))
		return tls_refuse(reason, error, "there are no certificates where SSL_CERT_FILE or SSL_CERT_DIR say");
	if (error == -ENOENT)
		return tls_refuse(reason, error, "this system has no file of trusted certificates at the usual places");
	return error;
}

X509_STORE *tls_roots_share(int32_t *error, const struct tls_reason *reason)
{
	X509_STORE *store = NULL;

	pthread_mutex_lock(&roots_mutex);
	*error = load(reason);
	if (*error == 0) {
		store = roots_store;
		X509_STORE_up_ref(store);
	}
	pthread_mutex_unlock(&roots_mutex);
	return store;
}

int32_t tls_roots_add(X509_STORE *store, const struct tls_reason *reason)
{
	int32_t error;

	pthread_mutex_lock(&roots_mutex);
	error = load(reason);
	if (error == 0 && !add_all(store, roots))
		error = tls_refuse(reason, -ENOMEM, "out of memory");
	pthread_mutex_unlock(&roots_mutex);
	return error;
}
