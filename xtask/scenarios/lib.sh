# What the scenarios have in common: a subscriber and a server in network namespaces of their own on both sides of this machine, which
# is the router; and checks, each printed as a sentence.
#
# A scenario is run as `bash SCENARIO.sh OP25B`, in a machine that has nothing else to do.

set -u
op25b=$1
failed=0
SUBSCRIBER=192.0.2.10
SERVER=198.51.100.25

# Prints the sentence with `ok` or `FAILED` before it.
check() {
    local sentence=$1
    shift
    if "$@" >/tmp/check.log 2>&1; then
        echo "ok $sentence"
    else
        echo "FAILED $sentence"
        sed 's/^/    /' /tmp/check.log
        failed=1
    fi
}

# The subscriber opens a connection to a port of the server.
reaches() { ip netns exec subscriber nc -z -w 5 "${2:-$SERVER}" "$1"; }
does_not_reach() { ! reaches "$@"; }

# The Internet: a server with the ports 25 and 587.
internet() {
    ip netns add internet
    ip link add uplink type veth peer name eth0 netns internet
    ip addr add 203.0.113.2/30 dev uplink
    ip link set uplink up
    ip -n internet addr add 203.0.113.1/30 dev eth0
    ip -n internet addr add $SERVER/32 dev lo
    ip -n internet link set lo up
    ip -n internet link set eth0 up
    ip -n internet route add default via 203.0.113.2
    ip route add $SERVER via 203.0.113.1
    sysctl -q net.ipv4.ip_forward=1
    for port in 25 587; do
        ip netns exec internet nc -lk "$port" >/dev/null 2>&1 &
    done
}

# A veth pair from the router to the subscriber, by the names of its ends.
line() {
    ip netns list | grep -q '^subscriber' || ip netns add subscriber
    ip link add "$1" type veth peer name "$2" netns subscriber
    ip -n subscriber link set lo up
    ip link set "$1" up
    ip -n subscriber link set "$2" up
}

# Enforces a policy, of which the interfaces are given as YAML.
enforce() {
    cat >/tmp/policy.yaml <<P
version: 1
interfaces:
$1
pools:
  - name: residential
    prefixes: [192.0.2.0/24, 2001:db8:a::/48]
P
    systemd-run --quiet --collect --service-type=notify --unit=op25b-scenario "$op25b" run --policy /tmp/policy.yaml
}

# Undoes all of it.
clean_up() {
    systemctl stop op25b-scenario 2>/dev/null
    "$op25b" stop --detach >/dev/null 2>&1
    pkill -x nc
    pkill -x pppd
    pkill -x pppoe-server
    pkill -x xl2tpd
    for space in subscriber internet; do ip netns delete $space 2>/dev/null; done
    # Links of namespaces go a moment after these.
    for link in $(ip -o link | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p'); do
        case $link in lo | sub0 | up0 | ip6tnl0 | tunl0 | sit0 | gre0 | gretap0 | erspan0 | ip_vti0 | ip6_vti0 | ip6gre0) ;; *) ip link delete "$link" 2>/dev/null ;; esac
    done
}
trap 'clean_up; exit $failed' EXIT
