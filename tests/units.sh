#!/bin/sh
# Checks the files of systemd/ with systemd's own tools; says what it checked, fails on a fault.
set -eu
cd "$(dirname "$0")/../systemd"

faults=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

good() { echo "ok    $*"; }
bad() { echo "FAULT $*" >&2; faults=$((faults + 1)); }

for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install systemd" >&2; exit 2; }
done
version=$(systemd-analyze --version | awk 'NR == 1 { print $2 }')

# unit NAME [DROP-IN]: a copy whose program exists here, since neap need not be installed.
unit() {
    rm -rf "$work/units"
    mkdir -p "$work/units/neap.service.d"
    sed 's,^ExecStart=/usr/bin/neap,ExecStart=/bin/true,' neap.service >"$work/units/neap.service"
    cp neap.socket "$work/units/"
    if [ $# -gt 1 ]; then
        sed 's,^ExecStart=/usr/bin/neap,ExecStart=/bin/true,' "$2" >"$work/units/neap.service.d/$(basename "$2")"
    fi
    echo "$work/units/$1"
}

verify() {
    name=$1
    shift
    if said=$(systemd-analyze verify --man=no "$(unit "$@")" 2>&1) && [ -z "$said" ]; then
        good "verify: $name"
    else
        bad "verify: $name: $said"
    fi
}

# secure NAME LIMIT FILE...: the exposure in tenths must not be above the limit.
secure() {
    name=$1 limit=$2
    shift 2
    # The offline mode takes no drop-ins, so they are joined to the unit.
    cat "$@" >"$work/neap.service"
    if said=$(systemd-analyze security --no-pager --offline=true --threshold="$limit" \
        "$work/neap.service" 2>&1); then
        good "security: $name: $(echo "$said" | sed -n 's/.*Overall exposure level[^:]*: //p')"
    else
        bad "security: $name: $(echo "$said" | tail -n 1)"
    fi
}

says() {
    if grep -Eq "$2" "$1"; then good "$1: $3"; else bad "$1: not so: $3"; fi
}

verify neap.service neap.service
verify neap.socket neap.socket
secure neap.service 11 neap.service
for drop in examples/*.conf; do
    if [ "$drop" = examples/notify-reload.conf ] && [ "$version" -lt 253 ]; then
        echo "skip  verify: $drop: needs systemd 253, this is $version"
        continue
    fi
    verify "$drop" neap.service "$drop"
    secure "with $drop" 11 neap.service "$drop"
done

says neap.service '^Type=notify$' 'readiness is told'
says neap.service '^WatchdogSec=' 'a hang is found'
says neap.service '^RestartPreventExitStatus=.*\b78\b' 'a wrong configuration does not loop'
says neap.service '^CPUQuota=' 'a loop that spins has an end'
says neap.service '^IOWeight=' 'the disk is the recorder'"'"'s first'
says neap.service '^After=network\.target$' 'it waits neither for a network nor for a clock'
says neap.socket '^FileDescriptorName=player$' 'the socket bears the name that neap looks for'

# Every number has its reason: a comment stands above each backstop, alone or with its group.
awk '
    /^#/ { reason = 1; next }
    /^(CPUQuota|IOWeight|Memory(High|Max|SwapMax)|TasksMax|Limit|OOMScore|LogRate|Timeout|Watchdog|StartLimit|RestartSec)/ {
        if (!reason) { print; wrong = 1 }
        next
    }
    /^$/ || /^\[/ || /^[A-Z]/ { reason = 0 }
    END { exit wrong }
' neap.service >"$work/bare" && good 'neap.service: each number has its reason' ||
    bad "neap.service: without a reason: $(cat "$work/bare")"

root=$work/root
mkdir -p "$root/etc" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d"
cp neap.sysusers.conf "$root/usr/lib/sysusers.d/neap.conf"
cp neap.tmpfiles.conf "$root/usr/lib/tmpfiles.d/neap.conf"
systemd-sysusers --root="$root" neap.conf >"$work/said" 2>&1 || bad "sysusers: $(cat "$work/said")"
if grep -q '^neap:' "$root/etc/passwd" && grep -q '^neap:' "$root/etc/group"; then
    good 'sysusers: makes the user and the group neap'
else
    bad 'sysusers: no user neap'
fi
if said=$(systemd-tmpfiles --root="$root" --create neap.conf 2>&1) &&
    [ "$(stat -c %a "$root/run/neap")" = 755 ] && [ "$(stat -c %a "$root/var/cache/neap")" = 750 ]; then
    good 'tmpfiles: makes both folders'
else
    bad "tmpfiles: $said"
fi
if grep -Evq '^(#.*|(enable|disable) neap\.(service|socket))$' neap.preset; then
    bad 'preset: a line that is no rule'
else
    good 'preset: enables the service, not the socket'
fi

# The hook with programs that note what they are told; a neap that does not run must not hold it up.
mkdir -p "$work/bin"
for program in neap systemctl sleep; do
    printf '#!/bin/sh\necho %s "$@" >>"%s/called"\n[ ! -e "%s/dead" ]\n' "$program" "$work" "$work" >"$work/bin/$program"
    chmod +x "$work/bin/$program"
done
# hook WORD EXPECTED: what it calls, in one line.
hook() {
    : >"$work/called"
    if said=$(PATH="$work/bin:$PATH" sh sleep/neap "$1" suspend 2>&1) && [ -z "$said" ] &&
        [ "$(paste -sd, "$work/called")" = "$2" ]; then
        good "sleep: $1${3:+ $3}: $2"
    else
        bad "sleep: $1${3:+ $3}: $said $(paste -sd, "$work/called")"
    fi
}
hook pre 'neap standby,sleep 1'
hook post 'neap wake,systemctl --no-block try-reload-or-restart neap.service'
hook other ''
touch "$work/dead"
hook pre 'neap standby' 'without neap'
hook post 'neap wake,systemctl --no-block try-reload-or-restart neap.service' 'without neap'

[ "$faults" -eq 0 ] || { echo "$faults faults" >&2; exit 1; }
echo "all units hold"
