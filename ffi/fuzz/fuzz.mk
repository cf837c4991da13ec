# Fuzz targets, included by ../Makefile.
#   make fuzz             build/fuzz/NAME for every target: libFuzzer, ASan and UBSan; needs clang
#   make fuzz-replay      build/fuzz/replay_NAME: the same targets behind a small driver, built by $(CC); for CI
#   make fuzz-coverage    build/fuzz/coverage_NAME: replay with clang's source coverage, for people

CLANG ?= clang
FUZZ_TARGETS = $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
FUZZ_SHARED = fuzz/ground.c fuzz/block.c fuzz/faults.c fuzz/stream.c fuzz/model.c fuzz/peer.c
FUZZ_INPUTS = $(FUZZ_SHARED) $(SOURCES) $(wildcard src/*.h include/*.h fuzz/*.h) fuzz/fuzz.mk
# Failures on demand; see fuzz/faults.h.
FUZZ_WRAPPED = malloc calloc io_uring_submit io_uring_submit_and_get_events io_uring_submit_and_wait_timeout
FUZZ_FLAGS = $(filter-out -O3 -MMD -MP,$(CFLAGS)) -O1 -Ifuzz $(SANITIZE)
FUZZ_LINK = $(FUZZ_WRAPPED:%=-Wl,--wrap=%) $(LIBURING) $(LIBRARIES) -pthread

.PHONY: fuzz fuzz-replay fuzz-coverage
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
fuzz-replay: $(FUZZ_TARGETS:%=build/fuzz/replay_%)
fuzz-coverage: $(FUZZ_TARGETS:%=build/fuzz/coverage_%)

build/fuzz/replay_%: fuzz/%_fuzz.c fuzz/replay.c $(FUZZ_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(FUZZ_FLAGS) -o $@ $< fuzz/replay.c $(FUZZ_SHARED) $(SOURCES) $(FUZZ_LINK)

build/fuzz/coverage_%: fuzz/%_fuzz.c fuzz/replay.c $(FUZZ_INPUTS)
	@mkdir -p $(@D)
	$(CLANG) $(filter-out $(SANITIZE),$(FUZZ_FLAGS)) -fprofile-instr-generate -fcoverage-mapping -o $@ $< fuzz/replay.c $(FUZZ_SHARED) $(SOURCES) $(FUZZ_LINK)

build/fuzz/%: fuzz/%_fuzz.c $(FUZZ_INPUTS)
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_SHARED) $(SOURCES) $(FUZZ_LINK)
