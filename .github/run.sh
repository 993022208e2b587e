#!/bin/bash
# What the action runs: the suite, then its summary, badge and gate. Inputs come as environment
# variables (action.yml names them), so that nothing a user wrote is taken for shell.
# Exit codes are those of ./conform; a candidate that the gate stops is 1.
set -u

suite=${SUITE:?is where the suite is}
results=${RESULTS:?is where results are written to}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
mkdir -p "$results"

# Ubuntu keeps user namespaces, in which the suite runs, from ordinary users.
restricted=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
if [ "$(id -u)" -ne 0 ] && [ -e "$restricted" ] && [ "$(cat "$restricted")" = 1 ]; then
    echo 0 | sudo -n tee "$restricted" >/dev/null || exit 2
fi

arguments=(--results "$results")
[ -z "${IMPLEMENTATION-}" ] || arguments+=(--implementation "$IMPLEMENTATION")
[ -z "${PROXY_BINARY-}" ] || arguments+=(--proxy-binary "$PROXY_BINARY")
[ -z "${PROXY_VERSION-}" ] || arguments+=(--proxy-version "$PROXY_VERSION")
[ -z "${MODES-}" ] || arguments+=(--modes "$MODES")

code=0
"$suite/conform" "${arguments[@]}" || code=$?

if [ -e "$results/latest/results.jsonl" ]; then
    run=$(cd "$results/latest" && pwd -P)
    with=("$run")
    [ -z "${BASELINE-}" ] || with=("$BASELINE" "$run")
    # A summary that cannot be made must not hide the verdict.
    "$suite/conform" compare "${with[@]}" --html "$run/compare.html" \
        --markdown "$run/summary.md" || code=2
    [ ! -e "$run/summary.md" ] || cat "$run/summary.md" >>"$summary"
    "$suite/conform" badge "$run" -o "$run/badge.svg" || code=2
    if [ -n "${BASELINE-}" ] && [ "$code" -ne 2 ]; then
        rules=()
        [ -z "${RULES-}" ] || rules=(--rules "$RULES")
        gate=0
        "$suite/conform" gate --baseline "$BASELINE" "${rules[@]}" "$run" | tee "$run/gate.txt"
        gate=${PIPESTATUS[0]}
        [ "$gate" -le "$code" ] || code=$gate
        # shellcheck disable=SC2016  # backticks of Markdown, not of the shell
        { echo '```text' && cat "$run/gate.txt" && echo '```'; } >>"$summary"
    fi
    echo "folder=$run" >>"${GITHUB_OUTPUT:-/dev/null}"
fi

echo "exit-code=$code" >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
