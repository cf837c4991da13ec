/*
 * A driver without libFuzzer: runs a target over every file of its corpus, then, for as long as is asked, over seeded
 * mixtures of them. Needs no clang, so CI can run it anywhere. Not coverage-guided: it finds what has come back, and
 * little that is new.
 *
 *   replay_NAME [-seconds=N] [-seed=N] FILE-OR-DIRECTORY...
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUTS_MAX 20000
#define INPUT_BYTES_MAX 65536

static struct { uint8_t *data; size_t size; } inputs[INPUTS_MAX];
static size_t input_count;
static uint64_t state;

__attribute__((weak)) int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return 0;
}

/* xorshift64*: the same sequence everywhere. */
static uint32_t next_random(uint32_t bound)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % bound;
}

static void add_file(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0) {
		fprintf(stderr, "Cannot read \"%s\": %s\n", path, strerror(errno));
		exit(2);
	}
	if (S_ISREG(status.st_mode) && status.st_size <= INPUT_BYTES_MAX && input_count < INPUTS_MAX) {
		uint8_t *data = malloc((size_t)status.st_size + 1);
		REQUIRE(data && read(fd, data, (size_t)status.st_size) == status.st_size, "cannot read \"%s\"", path);
		inputs[input_count].data = data;
		inputs[input_count++].size = (size_t)status.st_size;
	}
	close(fd);
}

static void add(const char *path)
{
	DIR *listing = opendir(path);
	struct dirent *entry;
	char inner[4096];

	if (!listing) {
		add_file(path);
		return;
	}
	while ((entry = readdir(listing))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		add_file(inner);
	}
	closedir(listing);
}

/* Two inputs cut and joined, then a few bytes changed. */
static size_t mix(uint8_t *out)
{
	size_t bytes = 0;

	for (int half = 0; half < 2; half++) {
		size_t which = next_random((uint32_t)input_count), size = inputs[which].size;
		size_t from = half ? next_random((uint32_t)size + 1) : 0;
		size_t part = next_random((uint32_t)(size - from) + 1);
		if (part > INPUT_BYTES_MAX - bytes)
			part = INPUT_BYTES_MAX - bytes;
		memcpy(out + bytes, inputs[which].data + from, part);
		bytes += part;
	}
	for (uint32_t changes = next_random(8); changes > 0 && bytes > 0; changes--)
		out[next_random((uint32_t)bytes)] = (uint8_t)next_random(256);
	return bytes;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* From memory of exactly that size, as libFuzzer does it: AddressSanitizer sees a look beyond the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	REQUIRE(copy, "no memory for the harness");
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int count, char **arguments)
{
	static uint8_t mixed[INPUT_BYTES_MAX];
	uint64_t begin, seconds = 0, seed = 1, mixtures = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < count; i++) {
		if (strncmp(arguments[i], "-seconds=", 9) == 0)
			seconds = strtoull(arguments[i] + 9, NULL, 10);
		else if (strncmp(arguments[i], "-seed=", 6) == 0)
			seed = strtoull(arguments[i] + 6, NULL, 10);
		else
			add(arguments[i]);
	}
	LLVMFuzzerInitialize(&count, &arguments);
	begin = now_ms();
	for (size_t i = 0; i < input_count; i++)
		run(inputs[i].data, inputs[i].size);
	for (; input_count > 0 && now_ms() - begin < seconds * 1000; mixtures++) {
		size_t size;
		state = (seed << 32 | mixtures) + 0x9e3779b97f4a7c15ull;
		size = mix(mixed);
		/* Kept where the message of a crash can be followed by it. */
		if (getenv("RINGWIRE_FUZZ_KEEP")) {
			int fd = open(getenv("RINGWIRE_FUZZ_KEEP"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			REQUIRE(fd >= 0 && write(fd, mixed, size) == (ssize_t)size, "cannot keep the input");
			close(fd);
		}
		run(mixed, size);
	}
	printf("%zu inputs and %llu mixtures of them in %llu ms, seed %llu\n", input_count, (unsigned long long)mixtures,
	       (unsigned long long)(now_ms() - begin), (unsigned long long)seed);
	return input_count == 0;
}
