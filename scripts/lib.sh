# shellcheck shell=bash
# Common functions of the scripts; sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v cargo >/dev/null || PATH="$PATH:${HOME:-/nonexistent}/.cargo/bin"
group='' interrupted='' throwaway='' grace=10 service=''

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }
# The help of a script is the comment at its top.
help() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit "${1:-0}"; }

# The folder of the newest PostgreSQL server programs, if they are at least version 15.
postgres_bin() {
    local bin major best='' newest=14
    for bin in /usr/lib/postgresql/*/bin "$(dirname "$(command -v postgres || echo /)")"; do
        [[ -x $bin/postgres && -x $bin/initdb && -x $bin/pg_ctl && -x $bin/psql ]] || continue
        major=$("$bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        if ((major > newest)); then newest=$major best=$bin; fi
    done
    [[ -n $best ]] && printf '%s\n' "$best"
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# --- Signals -------------------------------------------------------------------------------------
# Long commands run in a process group of their own: bash acts on a signal only after a foreground
# command ended, and a plain background command ignores Ctrl-C.

leave() { exit "$((128 + $(kill -l "$interrupted")))"; }
on_signal() {
    interrupted=$1
    [[ -n $group ]] || leave
    kill -s "$1" -- "-$group" 2>/dev/null || true
}
for name in INT TERM HUP; do
    # shellcheck disable=SC2064 # the name of this round is meant
    trap "on_signal $name" "$name"
done

# Runs a command and returns its status. On a signal it ends the whole group, at the latest after
# $grace seconds, and leaves the script. With service=1 the command inherits the locks of the
# script, and its status counts also after a signal.
run_group() {
    local status=0 i
    set -m
    if [[ -n ${service:-} ]]; then "$@" </dev/null & else "$@" </dev/null 5>&- 6>&- 7>&- 8>&- & fi
    group=$!
    set +m
    wait "$group" || status=$?
    if [[ -n $interrupted ]]; then
        for ((i = 0; i < grace * 10; i++)); do
            kill -0 -- "-$group" 2>/dev/null || break
            sleep 0.1 || true
        done
        kill -KILL -- "-$group" 2>/dev/null || true
        wait "$group" && status=0 || status=$?
    fi
    group=''
    [[ -z $interrupted || -n ${service:-} ]] || leave
    return "$status"
}

# For the end of a script: nothing may interrupt the cleaning, and a signal may have come between
# the start of a group and the line that notes it.
end_groups() {
    local job
    trap '' INT TERM HUP
    for job in $(jobs -p); do kill -KILL -- "-$job" 2>/dev/null || true; done
}

# --- Throw-away PostgreSQL -----------------------------------------------------------------------

# Sets throwaway_url to a database on a cluster that lives as long as the script.
throwaway_postgres() { # DATABASE
    trap remove_throwaway EXIT
    throwaway=${throwaway:-$(mktemp -d "${TMPDIR:-/tmp}/worklete-test.XXXXXX")} || return
    throwaway_url=$("$root/scripts/postgres" start "$throwaway" --throwaway --database "$1")
}
remove_throwaway() {
    local status=$?
    end_groups
    [[ -z $throwaway ]] || "$root/scripts/postgres" remove "$throwaway"
    exit "$status"
}
# The server for the tests: the one that is set, or a throw-away one.
test_postgres() {
    [[ -z ${TEST_DATABASE_URL:-} ]] || return 0
    throwaway_postgres postgres || return
    export TEST_DATABASE_URL=$throwaway_url
}

# --- Cargo ---------------------------------------------------------------------------------------

# The packages of the workspace, one a line: name, tab, folder.
packages() {
    local id folder name
    cargo metadata --no-deps --format-version 1 --manifest-path "$root/Cargo.toml" |
        grep -o '"workspace_members":\[[^]]*\]' | grep -o 'path+file://[^"]*' |
        while IFS= read -r id; do
            folder=${id#path+file://} folder=${folder%%#*} name=${id##*#}
            # The name is left out of the id when the folder has it.
            if [[ $name == *@* ]]; then name=${name%@*}; else name=${folder##*/}; fi
            printf '%s\t%b\n' "$name" "${folder//%/\\x}"
        done
}

# Runs the unit and integration tests, then the doc tests of the same packages; the doc tests take
# only the package selection, because the other arguments may be for nextest.
run_tests() {
    local status=0 arg take='' name folder doc=() args=("$@")
    for arg in "$@"; do
        if [[ -n $take ]]; then doc+=(-p "$arg") take=''; continue; fi
        case $arg in
            --) break ;;
            -p | --package) take=1 ;;
            --package=*) doc+=(-p "${arg#*=}") ;;
            -p?*) doc+=(-p "${arg#-p}") ;;
        esac
    done
    [[ ${#doc[@]} -gt 0 ]] || args=(--workspace "$@")
    export CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-2} NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-2}
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-2} NEXTEST_NO_TESTS=${NEXTEST_NO_TESTS:-pass}
    if cargo nextest --version >/dev/null 2>&1; then
        run_group cargo nextest run --locked "${args[@]}" || status=$?
    else
        run_group cargo test --no-fail-fast --locked "${args[@]}" || status=$?
    fi
    [[ ${#doc[@]} -gt 0 ]] || { run_group cargo test --workspace --doc --locked || status=$?; return "$status"; }
    # cargo refuses --doc for a package without a library.
    while IFS=$'\t' read -r name folder; do
        [[ " ${doc[*]} " == *" $name "* && -f $folder/src/lib.rs ]] || continue
        run_group cargo test -p "$name" --doc --locked || status=$?
    done < <(packages)
    return "$status"
}
