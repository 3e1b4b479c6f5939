# The commands of this project. `make help` lists them.

CARGO ?= cargo

.PHONY: help demo test clients python unit check bench fuzz golden mutants firmware

help:
	@echo 'make demo     what happens to a card: issue, lock, unlock, renew, activate, replace; needs nothing but Rust and a C compiler'
	@echo 'make test     install the client programs (or say what to install), then run every test'
	@echo 'make unit     the tests that need no client program'
	@echo 'make python   the tests of the Python package; pyscard and pytest come from PyPI'
	@echo 'make check    formatting, lints, documentation, no_std builds'
	@echo 'make golden   write the golden trace anew, when behaviour is to change'
	@echo 'make bench    the figures that README quotes'
	@echo 'make mutants  put faults into the modules that guard secrets, one at a time; needs cargo-mutants, an hour or two'
	@echo 'make firmware the card on an emulated Cortex-M4: scenarios, constant time, sizes; Debian 12 only'
	@echo 'make fuzz     each fuzz target for SECONDS=60; needs a nightly compiler and cargo-fuzz'

demo:
	$(CARGO) run --quiet -p vreader --no-default-features --features cms -- demo all

test: clients
	$(CARGO) test --workspace
	$(CARGO) test --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --no-default-features --lib --tests
	$(CARGO) test -p vreader --no-default-features --test golden
	vreader/python/run-tests

# The client programs and libraries that the tests run. Does nothing when they are there.
clients:
	tools/install-clients
	tools/install-opensc-sm
	tools/install-p11test
	tools/install-cackey
	tools/install-yubikey-crate

python:
	vreader/python/run-tests

unit:
	$(CARGO) test --workspace --exclude benches --lib --bins
	$(CARGO) test -p apdu -p card-sim -p vectors

check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --no-default-features --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items
	$(CARGO) fmt --manifest-path firmware/device/Cargo.toml --check
	$(CARGO) build -p apdu -p card-sim --no-default-features --lib
	for features in p384 rsa flash,rsa flash,p384,rsa large-objects,rsa-large key-import yubico cac,flash; do \
		$(CARGO) check -p card-sim --no-default-features --features $$features --lib || exit 1; \
	done
	$(CARGO) check -p vreader --no-default-features

# The difference that git shows is what the commit has to explain.
golden:
	VREADER_RENEW_GOLDEN=1 $(CARGO) test -p vreader --test golden

bench: clients
	$(CARGO) build --release --bin vreader
	$(CARGO) bench -p benches --no-fail-fast

SECONDS ?= 60
FUZZ_TARGETS = apdu apdu_sequence cac card_file pcsc_wire secure_messaging tlv yubikey

# Each target begins with its seeds, the corpus in vectors/fuzz, and what earlier runs left in fuzz/corpus.
fuzz:
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz'; exit 1; }
	$(CARGO) run --quiet --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --no-default-features --example seeds
	@for target in $(FUZZ_TARGETS); do \
		echo "$$target for $(SECONDS) seconds"; \
		$(CARGO) +nightly fuzz run --target-dir target/fuzz --sanitizer none $$target -- \
			-max_total_time=$(SECONDS) -rss_limit_mb=512 -timeout=20 || { \
			echo "Finding in $$target. Its input is the newest file in fuzz/artifacts/$$target; play it again with"; \
			echo "  cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example replay -- $$target FILE"; \
			exit 1; \
		}; \
	done

mutants:
	@$(CARGO) mutants --version >/dev/null 2>&1 || { echo 'cargo-mutants is missing: cargo install cargo-mutants'; exit 1; }
	PROPTEST_CASES=40 $(CARGO) mutants --output target --test-package card-sim,vectors --baseline skip --timeout 120

# The card on a microcontroller. The compiler is Debian's, which can make the core library for it without rustup.
FIRMWARE = $(abspath $(or $(CARGO_TARGET_DIR),target))/firmware

firmware:
	tools/install-firmware
	firmware/device/build $(FIRMWARE)
	$(CARGO) run --quiet -p firmware-host -- $(FIRMWARE)
