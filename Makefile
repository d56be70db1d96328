# The commands of daily work; `make` alone lists them. Written for GNU make 3.81, as macOS has it.
.DEFAULT_GOAL := help
.PHONY: help run call token check serve demo test bench fuzz lint clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  First time: make run, and in another shell make call.'
	@echo '  Ports, where one is taken: DEV_HTTP_PORT=8081 make run (DEV_AUTH_PORT, DEV_DB_PORT).'

run: ## The service with a private PostgreSQL, sign-in and two users; installs what is missing
	@scripts/setup.sh
	cargo build
	@cargo run --quiet --bin dev -- run

call: ## Calls the running service on all three wires
	@test -f "$${DEV_DIR:-.dev}/env" || { echo 'Nothing is running: make run first.'; exit 1; }
	@set -a && . "$${DEV_DIR:-./.dev}/env" && set +a && exec cargo run --quiet --example call

token: ## A fresh token of Ada's, printed and put into .dev/env
	@cargo run --quiet --bin dev -- token

check: ## Whether the settings in .env lead to a project that works, and how to mend what does not
	@test -f .env || { echo 'There is no .env: cp .env.example .env, then fill it in.'; exit 1; }
	@set -a && . ./.env && set +a && exec cargo run --quiet --bin user-service -- check

serve: ## The service alone, against your own project, with the settings in .env
	@test -f .env || { echo 'There is no .env: cp .env.example .env, then fill it in.'; exit 1; }
	@set -a && . ./.env && set +a && exec cargo run --bin user-service -- serve

demo: ## The service and the Next.js page at http://127.0.0.1:3000
	@scripts/setup.sh
	@web/demo.sh

test: ## Everything that has a test; ends with N passed, N failed, N skipped
	@scripts/setup.sh
	@scripts/test.sh

bench: ## Each measured figure beside its limit
	@scripts/setup.sh
	@scripts/bench.sh

fuzz: ## Each fuzz target for FUZZ_SECONDS (60), from its committed corpus
	@scripts/fuzz.sh

lint: ## Formatting, clippy and documentation, as CI has them
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

clean: ## Stops what make run started and removes its data (cargo clean removes what was built)
	@cargo run --quiet --bin dev -- clean
