# What people and CI run. Each target installs what it needs, says so, and can be repeated.
.PHONY: demo test simulate lint chaos bench build

demo: ## the main job, played on this machine's container engine; ONCE=1 ends by itself
	@ONCE=$(ONCE) scripts/demo.sh

test: ## everything: lint, unit, both databases, both drivers, crashes
	@scripts/test.sh

chaos: ## kills, freezes and cuts off processes under load, then checks the promises; MINUTES=5 SEED=random
	@MINUTES=$(MINUTES) SEED=$(SEED) scripts/chaos.sh

simulate: ## thousands of seeded days on both databases; SEEDS=FROM..TO chooses them, SEED=N tells one
	@SEEDS=$(SEEDS) SEED=$(SEED) scripts/simulate.sh

lint: ## formatting, clippy, protos, scripts
	@scripts/install.sh build lint && scripts/lint.sh

bench: ## measures everything next to its goal and to peers; SCENARIO=checkout,dispatch only those; DOCUMENT=docs/performance.md writes the table there
	@scripts/bench.sh "$(SCENARIO)" "$(DOCUMENT)"

build: ## the browser UI, and all binaries, unoptimised
	@scripts/install.sh build ui && scripts/ui.sh && PATH="$$PATH:$$HOME/.cargo/bin" cargo build --locked --workspace --bins
