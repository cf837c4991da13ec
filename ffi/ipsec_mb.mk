# Whether Intel's Multi-Buffer library is there (Debian: libipsec-mb-dev, on x86-64) and has what src/aes_gcm.c needs: that file is linked
# for a try. Sets IPSEC_MB (the library) and IPSEC_MB_FLAGS (for the compiler), or leaves them empty: then AES-GCM is OpenSSL's own.
# `make IPSEC_MB=` does without. Objects that depend on build/ipsec_mb are made again when the answer changes.
FFI := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
IPSEC_MB_TRY = mkdir -p build && $(CC) -shared -fPIC -O1 -D_GNU_SOURCE -DRINGWIRE_IPSEC_MB -o build/ipsec_mb.$$$$.so $(FFI)/src/aes_gcm.c \
	-l:libIPSec_MB.a $(or $(LIBCRYPTO),-lcrypto) -Wl,--no-undefined,--exclude-libs,ALL >build/ipsec_mb.log 2>&1 && rm build/ipsec_mb.$$$$.so && echo -l:libIPSec_MB.a
ifeq ($(origin IPSEC_MB),undefined)
IPSEC_MB := $(shell $(IPSEC_MB_TRY))
endif
IPSEC_MB_FLAGS := $(if $(IPSEC_MB),-DRINGWIRE_IPSEC_MB)
$(shell mkdir -p build && echo "$(IPSEC_MB)" | cmp -s - build/ipsec_mb || echo "$(IPSEC_MB)" >build/ipsec_mb)
# After `make clean all`.
build/ipsec_mb:
	@mkdir -p build && echo "$(IPSEC_MB)" >$@
