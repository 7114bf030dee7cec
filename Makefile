# netuki: see README.md. Settings of your own go into config.mak, not here.
-include config.mak

CC ?= gcc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
prefix ?= /usr
sysconfdir ?= /etc

# A variant builds beside the others, so that objects never mix.
ifeq ($(SAN),1)
VARIANT := san
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
else ifneq ($(findstring clang,$(CC)),)
VARIANT := clang
endif
ifeq ($(COV),1)
VARIANT := cov
SAN_FLAGS := --coverage
endif
B := build$(if $(VARIANT),/$(VARIANT))
# What the tests are run on.
RUN := $(if $(VALGRIND),build/valgrind,$(B))

VERSION := $(shell head -n 1 packaging/debian/changelog | cut -d' ' -f2 | tr -d '()')

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wwrite-strings -Wcast-qual -Wcast-align \
	-Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wundef -Wvla -Walloca \
	-Wnull-dereference -fno-common
ifeq ($(findstring clang,$(CC)),)
WARNINGS += -Wlogical-op -Wduplicated-cond -Wformat-signedness
endif
ifeq ($(DEVELOPER),1)
WARNINGS += -Werror
endif

MACHINE := $(shell $(CC) -dumpmachine)
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE
ifeq ($(findstring clang,$(CC)),)
# clang 14 takes it only with a switch that it says it will remove.
HARDENING += -ftrivial-auto-var-init=zero
endif
ifneq ($(filter x86_64%,$(MACHINE)),)
HARDENING += -fcf-protection=full
else ifneq ($(filter aarch64%,$(MACHINE)),)
HARDENING += -mbranch-protection=standard
endif
ifeq ($(SAN_FLAGS),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif

DAEMON_LIBS := libevent_core libnl-3.0 libnl-route-3.0 yaml-0.1 jansson nettle sqlite3
CTL_LIBS := jansson nettle
# Asked only when something is compiled: `make demo` installs them first.
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(DAEMON_LIBS))
# Where it was built makes no other program. dpkg sees to that, too, but for
# paths with a blank, say.
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. -DNETUKI_VERSION='"$(VERSION)"' \
	-fdebug-prefix-map='$(CURDIR)'=. $(CPPFLAGS) $(CFLAGS) $(WARNINGS) \
	$(HARDENING) $(SAN_FLAGS) $(PKG_CFLAGS) -MMD -MP
ALL_LDFLAGS = $(CFLAGS) $(LDFLAGS) $(SAN_FLAGS) -pie -pthread \
	-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed

objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)))
PROTO := $(call objects,proto/*.c)
CONFIG := $(call objects,config/*.c)
PARTS := base images policy dhcp tftp http boots control
DAEMON := $(filter-out $(B)/daemon/main.o,\
	$(call objects,daemon/*.c $(PARTS:%=daemon/%/*.c)))
CTL := $(filter-out $(B)/daemon/ctl/main.o,\
	$(call objects,daemon/ctl/*.c daemon/ctl/bench/*.c))
TESTS := $(patsubst tests/unit/test_%.c,$(B)/tests/unit/test_%, \
	$(wildcard tests/unit/test_*.c))
TEST_HELP := $(filter-out $(B)/tests/unit/test_%.o, \
	$(call objects,tests/unit/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(B)/netukid $(B)/netukictl

help:
	@sed -n 's/^## //p' Makefile

## make               build/netukid and build/netukictl
## sudo make demo     boot a virtual machine through netukid [MODE=tftp-uki]
##                    [ROUNDS=6, with a report at the end]
## sudo make check    every test but these [CC=clang] [SAN=1] [VALGRIND=1]
##                    [ONLY=PATTERN]
## sudo make check-long  the tests that take minutes each
## make unit          unit tests only, no root
## make fuzz TIME=60  each fuzzer for so many seconds
## sudo make bench    against other servers, in turns [ONLY=PATTERN]
## make lint          static checks
## make deb           the Debian package, into build/deb
## make install       into $(DESTDIR)$(prefix)

$(B)/proto/%.o: ALL_CFLAGS += -Wconversion
# `make V=1` shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-4s %s\n' $(1) $@)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/proto.a: $(PROTO)
$(B)/config.a: $(CONFIG)
$(B)/daemon.a: $(DAEMON)
$(B)/ctl.a: $(CTL)
$(B)/%.a:
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# It takes in whole files, of which the compiler does not tell.
$(B)/daemon/ctl/assets.o: $(wildcard daemon/ctl/page/* packaging/vendor/*)

# The version is the changelog's.
$(B)/daemon/main.o $(B)/daemon/control/control_status.o $(B)/daemon/ctl/main.o \
		$(B)/daemon/ctl/page.o: packaging/debian/changelog

LIBS = $(shell $(PKG_CONFIG) --libs $(DAEMON_LIBS))
$(B)/netukid: $(B)/daemon/main.o $(B)/daemon.a $(B)/config.a $(B)/proto.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/netukictl: $(B)/daemon/ctl/main.o $(B)/ctl.a $(B)/config.a $(B)/proto.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(CTL_LIBS)) -lm

$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(TEST_HELP) \
		$(B)/daemon.a $(B)/ctl.a $(B)/config.a $(B)/proto.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS) -lm

# Fuzz targets replay their corpora in `make check` without libFuzzer.
$(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/driver.o \
		$(B)/daemon.a $(B)/ctl.a $(B)/config.a $(B)/proto.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
REPLAYS := $(patsubst fuzz_%,$(B)/tests/fuzz/replay_%,$(FUZZERS))

# Clients and measurements of `make bench`.
BENCHES := $(patsubst tests/bench/%.c,$(B)/tests/bench/%, \
	$(wildcard tests/bench/*.c))
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/config.a $(B)/proto.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lm

# What tests load into the daemon by LD_PRELOAD.
SHIMS := $(patsubst tests/shim/%.c,$(B)/tests/shim/%.so, \
	$(wildcard tests/shim/*.c))
$(B)/tests/shim/%.so: tests/shim/%.c
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -shared -fPIC \
		-o $@ $< -ldl

tests: all $(TESTS) $(REPLAYS) $(SHIMS)

unit: tests
	$(if $(VALGRIND),tests/valgrind --link)
	tests/run --build $(RUN) --unit $(if $(ONLY),--only '$(ONLY)')

check: install-check
	$(MAKE) tests $(BENCHES)
	$(if $(VALGRIND),tests/valgrind --link)
	tests/run --build $(RUN) $(if $(ONLY),--only '$(ONLY)')

check-long: install-check
	$(MAKE) all $(BENCHES)
	tests/run --build $(B) --long $(if $(ONLY),--only '$(ONLY)')

demo: install-demo
	$(MAKE) all
	tests/demo.py --build $(B) $(if $(MODE),--mode '$(MODE)') \
		$(if $(ROUNDS),--rounds '$(ROUNDS)')

bench: install-bench
	$(MAKE) all $(BENCHES)
	tests/bench/run --build $(B) $(if $(ONLY),--only '$(ONLY)')

install-%:
	packaging/install-dependencies build $*

# libFuzzer builds apart, everything instrumented.
TIME ?= 60
fuzz: install-fuzz
	tests/fuzz/run --time $(TIME) $(if $(ONLY),--only '$(ONLY)')

lint: install-lint
	tests/lint/run

deb: install-deb
	packaging/make-deb

install: all
	install -D -m 755 $(B)/netukid '$(DESTDIR)$(prefix)/sbin/netukid'
	install -D -m 755 $(B)/netukictl '$(DESTDIR)$(prefix)/bin/netukictl'
	install -D -m 644 packaging/netuki.yaml \
		'$(DESTDIR)$(sysconfdir)/netuki/netuki.yaml'
	install -D -m 644 packaging/man/netukid.8 \
		'$(DESTDIR)$(prefix)/share/man/man8/netukid.8'
	install -D -m 644 packaging/man/netukictl.1 \
		'$(DESTDIR)$(prefix)/share/man/man1/netukictl.1'
	install -D -m 644 packaging/man/netuki.yaml.5 \
		'$(DESTDIR)$(prefix)/share/man/man5/netuki.yaml.5'

clean:
	rm -rf build

.PHONY: all help tests unit check check-long demo bench fuzz lint deb install clean
.SECONDARY:

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
