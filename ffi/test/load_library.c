/*
 * Loads the shared library that is named, as a runtime's FFI does, and calls into each part of it that needs nothing of the kernel.
 * Compiled for each platform by scripts/platforms/proof.mjs.
 */
#include "ringwire.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

static const char plain[] = "\xc3\xa9t\xc3\xa9: a text that is longer than the widest of all registers has room for";
static void *library;

static void *find(const char *name)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		printf("%s\n", dlerror());
	return symbol;
}

int main(int count, char **arguments)
{
	char text[128];
	int32_t (*abi_version)(void), (*tls_version)(void *, uint32_t), (*utf8_at)(const void *, uint32_t), result;

	library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!library) {
		printf("%s\n", count == 2 ? dlerror() : "Usage: load_library PATH");
		return 1;
	}
	abi_version = (int32_t (*)(void))find("rw_abi_version");
	tls_version = (int32_t (*)(void *, uint32_t))find("rw_tls_version");
	utf8_at = (int32_t (*)(const void *, uint32_t))find("rw_utf8_at");
	if (!abi_version || !tls_version || !utf8_at)
		return 1;
	if ((uint32_t)abi_version() != RW_ABI_VERSION) {
		printf("ABI version %d, not %u\n", abi_version(), RW_ABI_VERSION);
		return 1;
	}
	result = tls_version(text, sizeof text - 1);
	if (result <= 0 || (uint32_t)result >= sizeof text) {
		printf("rw_tls_version: %d\n", result);
		return 1;
	}
	text[result] = 0;
	if (utf8_at(plain, sizeof plain - 1) != 0 ||
	    utf8_at("\xe2\x82", 2) != 2 || utf8_at("\xff", 1) != -EILSEQ) {
		printf("rw_utf8_at cannot tell text from garbage\n");
		return 1;
	}
	printf("%s\n", text);
	return 0;
}
