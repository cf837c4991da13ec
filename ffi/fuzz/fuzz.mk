# Fuzz targets, included by ../Makefile.
#   make fuzz             build/fuzz/NAME for every target: libFuzzer, ASan and UBSan; needs clang
#   make fuzz-replay      build/fuzz/replay_NAME: the same targets behind a small driver, built by $(CC); for CI
#   make fuzz-coverage    build/fuzz/coverage_NAME: the driver with clang's source coverage, for people

CLANG ?= clang
FUZZ_TARGETS = $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
# All that stands beside the targets and the driver.
FUZZ_SHARED = $(filter-out %_fuzz.c fuzz/replay.c,$(wildcard fuzz/*.c))
FUZZ_PARTS = $(SOURCES:%.c=%.o) $(FUZZ_SHARED:%.c=%.o)
# Failures on demand; see fuzz/faults.h.
FUZZ_WRAPPED = malloc calloc io_uring_submit io_uring_submit_and_get_events io_uring_submit_and_wait_timeout
FUZZ_FLAGS = $(filter-out -O3,$(CFLAGS)) -O1 -Ifuzz
FUZZ_LINK = $(FUZZ_WRAPPED:%=-Wl,--wrap=%) $(LIBRARIES) -pthread
FUZZ_COVERAGE = -fprofile-instr-generate -fcoverage-mapping

.PHONY: fuzz fuzz-replay fuzz-coverage
.SECONDARY:
$(foreach kind,guided replayed covered,build/fuzz/$(kind)/src/aes_gcm.o): build/ipsec_mb
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
fuzz-replay: $(FUZZ_TARGETS:%=build/fuzz/replay_%)
fuzz-coverage: $(FUZZ_TARGETS:%=build/fuzz/coverage_%)

build/fuzz/guided/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<

build/fuzz/replayed/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FUZZ_FLAGS) $(SANITIZE) -c -o $@ $<

build/fuzz/covered/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(FUZZ_COVERAGE) -c -o $@ $<

build/fuzz/replay_%: build/fuzz/replayed/fuzz/%_fuzz.o build/fuzz/replayed/fuzz/replay.o $(FUZZ_PARTS:%=build/fuzz/replayed/%)
	$(CC) $(SANITIZE) -o $@ $^ $(FUZZ_LINK)

build/fuzz/coverage_%: build/fuzz/covered/fuzz/%_fuzz.o build/fuzz/covered/fuzz/replay.o $(FUZZ_PARTS:%=build/fuzz/covered/%)
	$(CLANG) $(FUZZ_COVERAGE) -o $@ $^ $(FUZZ_LINK)

build/fuzz/%: build/fuzz/guided/fuzz/%_fuzz.o $(FUZZ_PARTS:%=build/fuzz/guided/%)
	$(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LINK)

-include $(wildcard build/fuzz/*/*/*.d)
