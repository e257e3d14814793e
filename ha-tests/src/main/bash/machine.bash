# shellcheck shell=bash
# What Ambo needs of the machine: Debian packages and a JDK 25. Sourced by ./ambo.

# command or file that must exist | Debian package that brings it | what it is for
REQUIREMENTS='
mvn|maven|the build
clang|clang|compiling the XDP program
llvm-strip|llvm|compiling the XDP program
/usr/include/bpf/bpf_helpers.h|libbpf-dev|compiling the XDP program
/usr/include/linux/bpf.h|linux-libc-dev|compiling the XDP program
libbpf.so.1|libbpf1|loading the XDP program
ip|iproute2|the lab
ethtool|ethtool|the lab
nft|nftables|the benchmark against the kernel
conntrackd|conntrackd|the benchmark against the kernel
ping|iputils-ping|the lab
curl|curl|the lab
iperf3|iperf3|the lab
nc|netcat-openbsd|the lab
dig|dnsutils|the lab
unshare|util-linux|the lab
'

JDK_VERSION=25

is_there() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *.so.*) ldconfig -p 2>/dev/null | grep -qF "$1" || /sbin/ldconfig -p 2>/dev/null | grep -qF "$1" ;;
    *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
    esac
}

# Names the packages that bring what is missing, one a line, each once.
missing_packages() {
    local file package
    while IFS='|' read -r file package _; do
        if [ -n "$file" ] && ! is_there "$file"; then echo "$package"; fi
    done <<<"$REQUIREMENTS" | sort -u
}

# Installs what is missing when we may; else says what to type.
install_missing_packages() {
    local missing log
    missing=$(missing_packages | tr '\n' ' ')
    if [ -z "${missing// /}" ]; then return; fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing here: $missing" >&2
        echo "mend it with: sudo apt-get install $missing" >&2
        exit 1
    fi
    echo "installing Debian packages: $missing" >&2
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # The package lists may be old or absent; fetch them only when the first try fails.
    # shellcheck disable=SC2086
    if ! apt-get install -y --no-install-recommends $missing >"$log" 2>&1 &&
        ! { apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; }; then
        tail -n 20 "$log" >&2
        echo "apt-get could not install them; mend that and try again: apt-get install $missing" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}

jdk_version_of() {
    sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null
}

# Prints the home of a JDK 25, or fails silently.
find_jdk() {
    local home java
    for home in "${AMBO_JAVA_HOME:-}" "${JAVA_HOME:-}" "${JAVA25_HOME:-}" "${JAVA_HOME_25_X64:-}" /usr/lib/jvm/*25* /usr/lib/jvm/* /opt/*jdk*25* /opt/java/* \
        "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* /usr/local/*jdk*25*; do
        if [ -n "$home" ] && [ -x "$home/bin/javac" ] && [ "$(jdk_version_of "$home")" = "$JDK_VERSION" ]; then
            echo "$home"
            return 0
        fi
    done
    if java=$(command -v java); then
        home=$(dirname "$(dirname "$(readlink -f "$java")")")
        if [ -x "$home/bin/javac" ] && [ "$(jdk_version_of "$home")" = "$JDK_VERSION" ]; then
            echo "$home"
            return 0
        fi
    fi
    return 1
}

jdk_remedy() {
    cat <<'TEXT'
  apt-get install -y wget gpg ca-certificates
  mkdir -p /etc/apt/keyrings
  wget -qO- https://packages.adoptium.net/artifactory/api/gpg/key/public | gpg --dearmor -o /etc/apt/keyrings/adoptium.gpg
  echo "deb [signed-by=/etc/apt/keyrings/adoptium.gpg] https://packages.adoptium.net/artifactory/deb $(. /etc/os-release; echo "$VERSION_CODENAME") main" \
    >/etc/apt/sources.list.d/adoptium.list
  apt-get update && apt-get install -y temurin-25-jdk
TEXT
}

jdk_home() {
    if find_jdk; then return; fi
    {
        echo "Ambo needs a JDK $JDK_VERSION and none was found in AMBO_JAVA_HOME, JAVA_HOME, /usr/lib/jvm, /opt or ~/.sdkman."
        echo "Install one as root (Eclipse Temurin, from its Debian repository):"
        jdk_remedy
        echo "or unpack one anywhere and say where it is: export AMBO_JAVA_HOME=/path/to/jdk-$JDK_VERSION"
    } >&2
    return 1
}
