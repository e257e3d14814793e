# shellcheck shell=bash
# ambo doctor: what this machine lacks, with the command that mends each. Sourced by ./ambo; works without a build and without a JDK.

DOCTOR_ROWS=()
DOCTOR_MISSING=0

# ok | missing (Ambo does not run) | advice (it runs, less well)
finding() {
    local state=$1 what=$2 detail=$3 remedy=${4:-}
    DOCTOR_ROWS+=("$state"$'\t'"$what"$'\t'"$detail"$'\t'"$remedy")
    if [ "$state" = missing ]; then DOCTOR_MISSING=$((DOCTOR_MISSING + 1)); fi
}

check_jdk() {
    local home
    if home=$(find_jdk); then
        finding ok "JDK $JDK_VERSION" "$home"
    else
        finding missing "JDK $JDK_VERSION" "none in AMBO_JAVA_HOME, JAVA_HOME, /usr/lib/jvm, /opt" "$(jdk_remedy | sed 's/^  //' | paste -sd '&' | sed 's/&/ \&\& /g; s/ \\ && / /g')"
    fi
}

check_packages() {
    local file package purpose
    while IFS='|' read -r file package purpose; do
        if [ -z "$file" ]; then continue; fi
        if is_there "$file"; then
            finding ok "$file" "$purpose"
        else
            finding missing "$file" "$purpose" "apt-get install $package"
        fi
    done <<<"$REQUIREMENTS"
}

kernel_config() {
    if [ -r /proc/config.gz ]; then
        zcat /proc/config.gz
    elif [ -r "/boot/config-$(uname -r)" ]; then
        cat "/boot/config-$(uname -r)"
    fi
}

check_kernel() {
    local config option purpose
    config=$(kernel_config)
    if [ -z "$config" ]; then
        finding advice "kernel configuration" "neither /proc/config.gz nor /boot/config-$(uname -r) can be read" "modprobe configs"
        return
    fi
    while IFS='|' read -r option purpose; do
        if grep -qE "^$option=[ym]" <<<"$config"; then
            finding ok "$option" "$purpose"
        else
            finding missing "$option" "$purpose" "boot a kernel with $option (Debian's own has it: apt-get install linux-image-amd64)"
        fi
    done <<'LIST'
CONFIG_BPF_SYSCALL|XDP
CONFIG_BPF_JIT|XDP at full speed
CONFIG_XDP_SOCKETS|packets from XDP to Java
CONFIG_NET_NS|the lab
CONFIG_VETH|the lab
CONFIG_BRIDGE|the lab
CONFIG_PACKET|the lab's raw frames
CONFIG_NF_TABLES|the benchmark against the kernel
CONFIG_NF_CONNTRACK|the benchmark against the kernel
LIST
}

check_setting() {
    local name=$1 least=$2 purpose=$3 level=$4 value
    if ! value=$(cat "/proc/sys/${name//.//}" 2>/dev/null); then
        finding advice "$name" "cannot be read" ""
    elif [ "$value" -ge "$least" ]; then
        finding ok "$name" "$value"
    else
        finding "$level" "$name" "$value; $purpose wants at least $least" "sysctl -w $name=$least"
    fi
}

check_settings() {
    local memlock
    check_setting net.core.bpf_jit_enable 1 "XDP at full speed" missing
    check_setting net.core.rmem_max 4194304 "the sync link" advice
    check_setting net.core.wmem_max 4194304 "the sync link" advice
    memlock=$(ulimit -H -l)
    if [ "$memlock" = unlimited ] || [ "$memlock" -ge 65536 ] || [ "$(id -u)" -eq 0 ]; then
        finding ok "memlock limit" "$memlock KiB$([ "$(id -u)" -eq 0 ] && echo ', root raises it')"
    else
        finding missing "memlock limit" "$memlock KiB; packet memory wants 65536" "ulimit -l 65536 (as root), or LimitMEMLOCK=infinity in the unit"
    fi
}

check_rights() {
    if [ "$(id -u)" -ne 0 ]; then
        finding missing "root" "the nodes and the lab need it" "sudo $0 doctor"
        return
    fi
    finding ok "root" "yes"
    if unshare --net true 2>/dev/null; then
        finding ok "network namespaces" "can be made"
        if [ -n "$(unshare --net sh -c 'ip link set lo up; cat /proc/net/if_inet6' 2>/dev/null)" ]; then
            finding ok "IPv6" "there in new network namespaces"
        else
            finding missing "IPv6" "off in new network namespaces" "boot without ipv6.disable=1"
        fi
    else
        finding missing "network namespaces" "unshare --net fails" "run on a host or in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN"
    fi
}

# The fast path is pinned in a bpffs. What is pinned where no node runs goes on forwarding established flows for datapath.survive.
check_pins() {
    local directory
    if [ "$(stat -f -c %T /sys/fs/bpf 2>/dev/null)" = bpf_fs ]; then
        finding ok "/sys/fs/bpf" "a bpffs: the fast path outlives its process there"
    else
        finding missing "/sys/fs/bpf" "no bpffs is mounted there; nodes pin their fast path in one" "mount -t bpf bpf /sys/fs/bpf"
    fi
    for directory in /sys/fs/bpf/*/; do
        if [ ! -e "$directory/program" ] || [ ! -e "$directory/map-flows4" ]; then continue; fi
        if pgrep -f io.ambo.node.Main >/dev/null; then
            finding ok "fast path in $directory" "pinned by a node that runs"
        else
            finding advice "fast path in $directory" "no node runs; its flows are forwarded until datapath.survive is over" "start the node, or: rm -r $directory"
        fi
    done
}

# Labs register themselves in /run/ambo-lab/ID/state with the process that owns them.
check_leftovers() {
    local state id pid namespaces
    for state in /run/ambo-lab/*/state; do
        if [ ! -e "$state" ]; then continue; fi
        id=$(basename "$(dirname "$state")")
        pid=$(sed -n 's/^owner=\([0-9]*\) .*/\1/p' "$state")
        if [ -z "$pid" ]; then
            finding ok "lab $id" "up, until it is taken down (./ambo lab down)"
        elif [ -d "/proc/$pid" ]; then
            finding ok "lab $id" "in use by process $pid"
        else
            finding advice "lab $id" "left behind by process $pid, which is gone" "$AMBO_HOME/ambo lab down $id"
        fi
    done
    namespaces=$(ip netns list 2>/dev/null | awk '{ print $1 }' | grep '^ambo-' || true)
    while read -r ns; do
        if [ -z "$ns" ]; then continue; fi
        id=${ns#ambo-}
        id=${id%-*}
        if [ ! -e "/run/ambo-lab/$id/state" ]; then
            finding advice "namespace $ns" "belongs to no known lab" "ip netns delete $ns"
        fi
    done <<<"$namespaces"
}

json_string() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '"%s"' "${text//$'\t'/\\t}"
}

print_json() {
    local row state what detail remedy separator=""
    printf '{"healthy": %s, "findings": [' "$([ "$DOCTOR_MISSING" -eq 0 ] && echo true || echo false)"
    for row in "${DOCTOR_ROWS[@]}"; do
        IFS=$'\x1f' read -r state what detail remedy <<<"${row//$'\t'/$'\x1f'}"
        printf '%s\n  {"state": "%s", "what": %s, "detail": %s, "remedy": %s}' "$separator" "$state" \
            "$(json_string "$what")" "$(json_string "$detail")" "$(json_string "$remedy")"
        separator=,
    done
    printf '\n]}\n'
}

print_text() {
    local row state what detail remedy good=0
    for row in "${DOCTOR_ROWS[@]}"; do
        IFS=$'\x1f' read -r state what detail remedy <<<"${row//$'\t'/$'\x1f'}"
        if [ "$state" = ok ]; then
            good=$((good + 1))
            continue
        fi
        printf '%-8s %s: %s\n' "$state" "$what" "$detail"
        if [ -n "$remedy" ]; then printf '         mend it: %s\n' "$remedy"; fi
    done
    if [ "$DOCTOR_MISSING" -eq 0 ]; then
        echo "this machine has what Ambo needs ($good checks passed)"
    else
        echo "$DOCTOR_MISSING missing, $good checks passed"
    fi
}

doctor() {
    local json=no
    case ${1:-} in
    "") ;;
    --json) json=yes ;;
    *)
        echo "usage: ambo doctor [--json]" >&2
        return 2
        ;;
    esac
    check_jdk
    check_packages
    check_kernel
    check_settings
    check_rights
    check_pins
    check_leftovers
    if [ "$json" = yes ]; then print_json; else print_text; fi
    [ "$DOCTOR_MISSING" -eq 0 ]
}
