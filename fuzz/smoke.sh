#!/usr/bin/env bash
# A short run of every fuzz target: `fuzz/smoke.sh [seconds per target, default 10]`, from anywhere.
# Needs cargo-fuzz, a nightly toolchain, a C++ compiler and python3; installs nothing. Fails if there is a finding,
# which is then in fuzz/artifacts/<target>/. For a long run: FUZZ_ARGS="-runs=10000000" fuzz/smoke.sh 0
#
# No sanitizer: the crate forbids unsafe code, and what these targets look for are wrong answers and panics, which
# need none. Address sanitizer makes each run several times slower, so that it would see less in the same time.
# Debug assertions and overflow checks are on. For memory errors in the dependencies: FUZZ_SANITIZER=address.
set -euo pipefail
seconds=${1:-10}
toolchain=${FUZZ_TOOLCHAIN:-nightly}
sanitizer=${FUZZ_SANITIZER:-none}
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! cargo "+$toolchain" fuzz --version >/dev/null 2>&1; then
    echo "needs cargo-fuzz and the $toolchain toolchain: rustup toolchain install nightly && cargo install --locked cargo-fuzz" >&2
    exit 2
fi
targets=${FUZZ_TARGETS:-reply challenge retry_after audience basic body question redact signing_key ecdsa_der claims entry}
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
./seeds.py "$corpus"
cargo "+$toolchain" fuzz build --fuzz-dir . --sanitizer "$sanitizer"

failed=()
for target in $targets; do
    # Longer inputs show nothing new here, and cost time.
    case $target in
    reply) length=128 dictionary=reply ;;
    challenge) length=128 dictionary=challenge ;;
    retry_after) length=64 dictionary=retry_after ;;
    audience) length=128 dictionary=audience ;;
    basic) length=64 dictionary=basic ;;
    redact) length=64 dictionary=redact ;;
    # The keys of RSA are long.
    signing_key) length=4096 dictionary=signing_key ;;
    ecdsa_der) length=112 dictionary=ecdsa_der ;;
    claims) length=160 dictionary=claims ;;
    entry) length=256 dictionary=entry ;;
    body) length=96 dictionary=steps ;;
    *) length=80 dictionary=steps ;;
    esac
    printf '\n== fuzz %s (%s s)\n' "$target" "$seconds"
    # shellcheck disable=SC2086
    cargo "+$toolchain" fuzz run --fuzz-dir . --sanitizer "$sanitizer" "$target" "$corpus/$target" -- \
        -dict="dictionaries/$dictionary.dict" -max_len="$length" -max_total_time="$seconds" -timeout=10 \
        -verbosity=0 -print_final_stats=1 ${FUZZ_ARGS:-} || failed+=("$target")
done
if ((${#failed[@]})); then
    echo "findings in: ${failed[*]}" >&2
    exit 1
fi
echo "no findings"
