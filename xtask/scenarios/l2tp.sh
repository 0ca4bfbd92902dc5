# An LNS: subscribers' PPP comes in L2TP from an access concentrator. xl2tpd and pppd are both ends of it.
. "$(dirname "$0")/lib.sh"

internet
line sub eth0
ip addr add 203.0.113.9/30 dev sub
ip -n subscriber addr add 203.0.113.10/30 dev eth0
modprobe -a ppp_generic l2tp_ppp pppol2tp 2>/dev/null
printf 'noauth\nlcp-echo-interval 0\nnoccp\nmtu 1460\n' >/tmp/ppp.options
mkdir -p /tmp/lns /tmp/lac
cat >/tmp/lns.conf <<C
[global]
port = 1701
[lns default]
ip range = $SUBSCRIBER-$SUBSCRIBER
local ip = 192.0.2.1
require authentication = no
pppoptfile = /tmp/ppp.options
C
cat >/tmp/lac.conf <<C
[global]
port = 1701
[lac lns]
lns = 203.0.113.9
require authentication = no
pppoptfile = /tmp/lac.options
autodial = yes
C
printf 'noauth\nnoccp\ndefaultroute\nuser test\nmtu 1460\n' >/tmp/lac.options
mkdir -p /run/xl2tpd
xl2tpd -D -c /tmp/lns.conf -p /tmp/lns/pid -C /tmp/lns/control >/tmp/lns.log 2>&1 &
sleep 2
ip netns exec subscriber xl2tpd -D -c /tmp/lac.conf -p /tmp/lac/pid -C /tmp/lac/control >/tmp/lac.log 2>&1 &
has_session() { for _ in $(seq 90); do ip -n subscriber -4 addr show dev ppp0 2>/dev/null | grep -q $SUBSCRIBER && return; sleep 1; done; tail -n 15 /tmp/lns.log /tmp/lac.log; false; }
check "a session is up" has_session
check "port 25 is open before op25b" reaches 25

check "a policy with l2tp is enforced" enforce "  - { name: sub, role: subscriber, tunnels: [l2tp] }"
check "port 25 is blocked in the session" does_not_reach 25
check "port 587 is open in the session" reaches 587
pkill -x xl2tpd
