#!/bin/sh
# Runs OpenWrt's init script of neap under busybox's shell with stand-ins for uci and procd.
# usage: tests/arm/openwrt.sh NEAP        lines begin with ok or FAULT
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
neap=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shell='sh'
command -v busybox >/dev/null 2>&1 && shell='busybox ash'

# What rc.common and functions.sh give, as far as the script uses it.
cat >"$work/stubs" <<'STUBS'
config_load() {
    sections='' current=''
    while read -r word name value; do
        name=$(echo "$name" | tr -d "'"); value=$(echo "$value" | sed "s/^'//;s/'\$//")
        case $word in
        config) current=$value; [ -n "$current" ] || current="unnamed"
            sections="$sections $name:$current"
            eval "unset $(set | sed -n "s/^\(uci_${current}_[a-z_]*\)=.*/\1/p" | tr '\n' ' ') nothing" ;;
        option) eval "uci_${current}_$name=\$value" ;;
        list) eval "uci_${current}_$name=\"\${uci_${current}_$name:+\$uci_${current}_$name|}\$value\"" ;;
        esac
    done <"$UCI"
}
config_get() { eval "$1=\${uci_$2_$3:-${4:-}}"; }
config_get_bool() { eval "$1=\${uci_$2_$3:-${4:-0}}"; }
config_list_foreach() {
    eval "whole=\${uci_$1_$2:-}"
    while [ -n "$whole" ]; do
        first=${whole%%|*}; "$3" "$first"
        case $whole in *'|'*) whole=${whole#*|} ;; *) whole='' ;; esac
    done
}
config_foreach() { for pair in $sections; do [ "${pair%%:*}" = "$2" ] && "$1" "${pair#*:}"; done; }
logger() { echo "logger $*" >>"$OUT"; }
chown() { :; }
procd_open_instance() { echo "instance $*" >>"$OUT"; }
procd_set_param() { echo "param $*" >>"$OUT"; }
procd_add_jail() { echo "jail $*" >>"$OUT"; }
procd_add_jail_mount() { echo "mount $*" >>"$OUT"; }
procd_add_jail_mount_rw() { echo "mount-rw $*" >>"$OUT"; }
procd_close_instance() { :; }
procd_add_reload_trigger() { echo "trigger $*" >>"$OUT"; }
procd_running() { return 1; }
extra_command() { :; }
STUBS
sed -e "s#^DAEMON=.*#DAEMON='$neap'#" -e "s#^FOLDER=.*#FOLDER='$work/etc'#" \
    -e "s#^STATE=.*#STATE='$work/state'#" -e "s#/var/run/neap#$work/run#g" -e "s#/sbin/ujail#/bin/sh#" \
    "$root/cross/openwrt/files/neap.init" >"$work/init"

# start UCI: starts with that configuration; what procd was told is in $work/out.
start() {
    cat >"$work/uci"
    : >"$work/out"
    UCI=$work/uci OUT=$work/out $shell -c ". '$work/stubs'; . '$work/init'; start_service" >>"$work/out" 2>&1
}
# reload UCI: the same for one that runs.
reload() {
    cat >"$work/uci"
    : >"$work/out"
    UCI=$work/uci OUT=$work/out $shell -c ". '$work/stubs'; . '$work/init'; procd_running() { return 0; }
        procd_send_signal() { echo \"signal \$*\" >>\"\$OUT\"; }; stop() { echo stopped >>\"\$OUT\"; }; reload_service" >>"$work/out" 2>&1
}
faults=0
good() { echo "ok    openwrt: $*"; }
bad() { echo "FAULT openwrt: $*: $(cat "$work/out" "$work/etc/neap.toml" 2>/dev/null)"; faults=$((faults + 1)); }
told() { grep -Eq -- "$1" "$work/out"; }

start <"$root/cross/openwrt/files/neap.config"
if told instance; then bad 'it is off by default'; else good 'it is off by default'; fi

start <<'UCI'
config neap 'main'
option enabled '1'
option memory '12 MiB'
list listen '127.0.0.1:8642'
list listen '192.168.1.1:8642'
list allow '192.168.1.0/24'
config origin 'tv'
option url 'https://cdn.example.com/live "quoted"\/'
list host 'a.example.com'
option follow_redirects '0'
UCI
if told instance; then bad 'a wrong URL is refused by neap check'; else good 'a wrong URL is refused by neap check'; fi
if told 'logger.*not started'; then good 'and the log says why'; else bad 'and the log says why'; fi

echo 'thirty-two bytes that only we know' >"$work/secret"
chmod 600 "$work/secret"
start <<UCI
config neap 'main'
option enabled '1'
option memory '12 MiB'
option cache_path '/var/cache'
option cache_size '1 GiB'
list listen '127.0.0.1:8642'
list listen '192.168.1.1:8642'
list allow '192.168.1.0/24'
option network 'home'
option secret_file '$work/secret'
option role 'gateway'
option sharing '0'
list publisher 'ed25519:0000000000000000000000000000000000000000000000000000000000000000'
list peer '192.168.1.5:8644'
config origin 'tv'
option url 'https://cdn.example.com/live/'
list host 'a.example.com'
option follow_redirects '0'
UCI
if told '^param command .*--config'; then good 'it starts when it is on'; else bad 'it starts when it is on'; fi
said=$("$neap" check --config "$work/etc/neap.toml" 2>&1)
for want in 'memory = "12 MiB"' '"192.168.1.1:8642"' '192.168.1.0/24' 'name = "tv"' 'follow-redirects = false' 'hosts = \["a.example.com"\]' 'disk = "0"' \
    'name = "home"' 'role = "gateway"' 'peers = \["192.168.1.5:8644"\]' "secret-file = \"$work/secret\"" "state = \"$work/state\"" \
    'publishers = \["ed25519:0000' 'enabled = false'; do
    if echo "$said" | grep -q "$want"; then good "UCI to TOML: $want"; else bad "UCI to TOML: $want"; fi
done
if told "^mount-rw .*$work/state" && [ -d "$work/state" ]; then good 'its key has a folder in the jail'; else bad 'its key has a folder in the jail'; fi
if told 'logger.*no disk cache'; then good 'a cache in the router'"'"'s own flash is refused'; else bad 'a cache in the flash is refused'; fi
for want in '^param respawn ' '^param user neap' '^param no_new_privs 1' '^param reload_signal HUP' '^jail neap .*ronly' '^param capabilities '; do
    if told "$want"; then good "procd: $want"; else bad "procd: $want"; fi
done
for enabled in 1 0; do
    reload <<UCI
config neap 'main'
option enabled '$enabled'
config origin 'tv'
option url 'https://cdn.example.com/live/'
UCI
    if [ "$enabled" = 1 ]; then want='^signal neap neap HUP' name='a reload signals it'; else want='^stopped' name='a reload that switches it off ends it'; fi
    if told "$want"; then good "$name"; else bad "$name"; fi
done
for file in "$root"/cross/openwrt/files/neap.hotplug "$root"/cross/openwrt/files/neap.rpcd "$root"/cross/buildroot/S80neap \
    "$root"/yocto/meta-neap/recipes-multimedia/neap/files/neap.init "$root"/yocto/meta-neap/recipes-multimedia/neap/files/run-ptest; do
    if $shell -n "$file"; then good "$(basename "$file") reads as shell"; else bad "$(basename "$file") reads as shell"; fi
done
if [ "$("$root/cross/openwrt/files/neap.rpcd" list)" = '{ "status": {} }' ]; then good 'ubus: the plugin lists its call'; else bad 'ubus: the plugin lists its call'; fi
if grep -qx '/etc/config/neap' "$root/cross/openwrt/files/neap.keep"; then good 'sysupgrade keeps the configuration'; else bad 'sysupgrade keeps the configuration'; fi
[ "$faults" = 0 ]
