# shellcheck shell=bash
# Builds what is stale and knows what a JVM of Ambo is started with. Sourced by ./ambo.

BUILD_STAMP="$AMBO_HOME/target/built"
LIBRARIES="$AMBO_HOME/ha-tests/target/lib"
# Written by the build from the parent pom's ambo.jvm.options, the only list there is.
JVM_OPTIONS_FILE="$AMBO_HOME/ha-tests/target/classes/io/ambo/hatests/jvm.options"

class_path() { echo "$AMBO_HOME/ha-tests/target/classes:$LIBRARIES/*"; }

# Every JVM of Ambo: the options of the parent pom.
read_jvm_options() { read -r -a JAVA_OPTIONS <"$JVM_OPTIONS_FILE"; }

# The lab, drills and benchmarks: they measure, so they are given their memory at once.
java_options_for_tools() {
    read_jvm_options
    JAVA_OPTIONS+=(-XX:+UseParallelGC -Xms256m -Xmx1g)
}

# The simulation: one thread, much short-lived memory.
java_options_for_simulation() {
    read_jvm_options
    JAVA_OPTIONS+=(-XX:+UseSerialGC -Xmx1g)
}

# The operator's CLI: starts fast, lives briefly.
java_options_for_cli() {
    read_jvm_options
    JAVA_OPTIONS+=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx256m)
}

is_stale() {
    [ -e "$BUILD_STAMP" ] && [ -e "$JVM_OPTIONS_FILE" ] && [ -d "$LIBRARIES" ] || return 0
    [ -n "$(find "$AMBO_HOME/pom.xml" "$AMBO_HOME/.mvn" "$AMBO_HOME"/{proto,cluster,node,ha-tests} \
        -path '*/target' -prune -o -path '*/src/test' -prune -o -type f -newer "$BUILD_STAMP" -print -quit)" ]
}

# Runs Maven with its log in a file and its progress on the terminal: one line for each module, and the end of the log when it fails.
maven() {
    local log=$AMBO_HOME/target/maven.log status=0
    mkdir -p "$AMBO_HOME/target"
    # Maven itself runs on whatever Java it finds; the toolchain plugin is shown the JDK that compiles.
    JAVA25_HOME=$(jdk_home) || exit 1
    export JAVA25_HOME
    if ! command -v java >/dev/null; then export JAVA_HOME=$JAVA25_HOME; fi
    (cd "$AMBO_HOME" && mvn "$@" </dev/null 2>&1) | tee "$log" | show_progress >&2 || status=$?
    if [ "$status" -ne 0 ]; then maven_failed "$log"; fi
    return "$status"
}

show_progress() {
    sed -u -n \
        -e 's/^\[INFO\] Building \(Ambo: [^ ].*[^ ]\)  *\[\([0-9]*\/[0-9]*\)\]$/  [\2] \1/p' \
        -e 's/^\[INFO\] \(Tests run: .*\) -- in \(io\.ambo\..*\)$/        \2: \1/p' \
        -e 's/^\[ERROR\] \(Tests run: .*\) -- in \(io\.ambo\..*\)$/        FAILED \2: \1/p' \
        -e 's/^\(drill .*\)$/        \1/p'
}

maven_failed() {
    echo "the build failed; the whole log is $1" >&2
    grep -E '^\[(ERROR\] .|WARNING\] /)' "$1" | grep -vE 'Help 1|re-run Maven|Re-run Maven|For more information|After correcting|-rf :' | head -n 40 >&2 || tail -n 40 "$1" >&2
}

# Two builds in one tree would overwrite each other's files.
locked() {
    mkdir -p "$AMBO_HOME/target"
    exec 9>"$AMBO_HOME/target/lock"
    if ! flock -n 9; then
        echo "another build runs in $AMBO_HOME; waiting for it" >&2
        flock 9
    fi
}

build_if_stale() {
    jdk_home >/dev/null || exit 1
    is_stale || return 0
    locked
    if is_stale; then
        echo "building Ambo" >&2
        local began
        began=$(mktemp)
        maven -Dmaven.test.skip=true package || { rm -f "$began"; exit 1; }
        # The stamp is as old as the build's start: what was edited meanwhile is stale.
        touch -r "$began" "$BUILD_STAMP"
        rm -f "$began"
    fi
    exec 9>&-
}

# All unit tests, then the drills. The last line says how it went.
run_tests() {
    local status=0 began=$SECONDS
    jdk_home >/dev/null || exit 1
    locked
    echo "building, unit tests, drills" >&2
    find "$AMBO_HOME"/*/target/surefire-reports "$AMBO_HOME"/*/target/failsafe-reports -name 'TEST-*.xml' -delete 2>/dev/null || true
    maven verify "$@" || status=$?
    exec 9>&-
    summarise "$status" $((SECONDS - began))
    return "$status"
}

summarise() {
    local status=$1 seconds=$2 word=passed
    if [ "$status" -ne 0 ]; then word=FAILED; fi
    find "$AMBO_HOME"/*/target/surefire-reports "$AMBO_HOME"/*/target/failsafe-reports -name 'TEST-*.xml' -exec \
        sed -n 's/^<testsuite .* tests="\([0-9]*\)".*errors="\([0-9]*\)".*skipped="\([0-9]*\)".*failures="\([0-9]*\)".*/\1 \2 \3 \4/p' {} + 2>/dev/null |
        awk -v word="$word" -v seconds="$seconds" '
            { tests += $1; failed += $2 + $4; skipped += $3 }
            END { printf "%s: %d tests, %d failed, %d skipped, %d min %02d s\n", word, tests, failed, skipped, seconds / 60, seconds % 60 }'
}
