# Shortcuts. Nothing here is needed: each line is the command that it runs.

# List the recipes.
default:
    @just --list

# Everything that is checked before a change lands.
ci:
    .ci/run

# The main job on embedded defaults.
demo dir="target/demo":
    cargo run --release -p nightingale -- demo --dir {{dir}}

# All tests.
test:
    cargo test --workspace --release

# The tests of one crate.
test-one crate:
    cargo test --release -p {{crate}}

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# Node tools for the EVM tests, into target/tools.
tools:
    .ci/tools/install

# Our prover beside its peers.
compare:
    cargo run --release -p nightingale-benches --bin compare -- claims

# Write checked-in generated files anew: contracts, then everything that tests compare (see CONTRIBUTING.md).
regenerate: tools
    node verifier/contracts/build.mjs
    NIGHTINGALE_REGENERATE=1 NIGHTINGALE_BLESS=1 cargo test --workspace --release
