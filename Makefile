# What people and CI run. Each target installs what it needs, says so, and can be repeated.
.PHONY: demo test lint bench-checkout bench-ready bench-idle build

demo: ## the main job, played on this machine's container engine; ONCE=1 ends by itself
	@ONCE=$(ONCE) scripts/demo.sh

test: ## everything: lint, unit, both databases, both drivers, crashes
	@scripts/test.sh

lint: ## formatting, clippy, protos, scripts
	@scripts/install.sh build lint && scripts/lint.sh

bench-checkout: ## a warm checkout through gRPC on SQLite and PostgreSQL, next to a bare commit
	@scripts/bench.sh checkout

bench-ready: ## request → ready on containers, next to what the engine itself needs
	@scripts/bench.sh ready

bench-idle: ## processor time and memory of the all-in-one with nothing to do
	@scripts/bench.sh idle

build: ## all binaries, unoptimised
	@scripts/install.sh build && PATH="$$PATH:$$HOME/.cargo/bin" cargo build --locked --workspace --bins
