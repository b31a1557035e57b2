# Facteur: build, try, test, install. `make` alone makes the release binaries.
SWIFT  ?= swift
PREFIX ?= /usr/local
TOOLS  := mx smtp-send smtp-serve pop3d mboxconv mailparse spamscore
RELEASE := $(SWIFT) build -c release -Xswiftc -static-stdlib
BIN    := .build/release
DOC    := .build/documentation
bindir := $(DESTDIR)$(PREFIX)/bin
mandir := $(DESTDIR)$(PREFIX)/share/man/man1

.PHONY: all try test lint format bench fuzz documentation install uninstall clean

all:
	$(RELEASE)

try: all
	Examples/try $(BIN)

test:
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests
	Tools/check-layers

format:
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

bench: all
	Benchmarks/run $(BIN)

# make fuzz [TARGETS="message mbox"] [SECONDS=60]: each parser under libFuzzer and the address sanitizer, from its seeds.
FUZZ    := .build-fuzz
SECONDS ?= 30
fuzz:
	FACTEUR_FUZZ=1 $(SWIFT) build --scratch-path $(FUZZ) --sanitize fuzzer --sanitize address --product fuzz
	Tests/Fuzzer/run $(FUZZ)/debug/fuzz $(SECONDS) $(TARGETS)

documentation: all
	mkdir -p $(DOC)
	for tool in $(TOOLS); do \
	    $(BIN)/$$tool --generate man >$(DOC)/$$tool.1 && \
	    $(BIN)/$$tool --generate bash >$(DOC)/$$tool.bash && \
	    $(BIN)/$$tool --generate zsh >$(DOC)/$$tool.zsh && \
	    $(BIN)/$$tool --generate fish >$(DOC)/$$tool.fish || exit 1; \
	done

install: documentation
	install -d $(bindir) $(mandir) $(DESTDIR)$(PREFIX)/share/facteur \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	for tool in $(TOOLS); do \
	    install -s -m 755 $(BIN)/$$tool $(bindir)/$$tool && \
	    install -m 644 $(DOC)/$$tool.1 $(mandir)/$$tool.1 && \
	    install -m 644 $(DOC)/$$tool.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$tool && \
	    install -m 644 $(DOC)/$$tool.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_$$tool && \
	    install -m 644 $(DOC)/$$tool.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$tool.fish \
	    || exit 1; \
	done
	install -m 644 share/spam.cf $(DESTDIR)$(PREFIX)/share/facteur/

uninstall:
	for tool in $(TOOLS); do \
	    rm -f $(bindir)/$$tool $(mandir)/$$tool.1 \
	        $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$tool \
	        $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_$$tool \
	        $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$tool.fish; \
	done
	rm -rf $(DESTDIR)$(PREFIX)/share/facteur

clean:
	rm -rf .build
