# A PPPoE session by pppd and rp-pppoe's access concentrator: what is in it is filtered on the interface that carries it.
. "$(dirname "$0")/lib.sh"

internet
line sub eth0
modprobe -a ppp_generic pppoe 2>/dev/null
printf 'noauth\nlocal\nlcp-echo-interval 0\nmtu 1492\nmru 1492\nnoccp\n' >/tmp/server.options
pppoe-server -I sub -L 192.0.2.1 -R $SUBSCRIBER -N 4 -O /tmp/server.options -q /usr/sbin/pppd
ip netns exec subscriber pppd plugin pppoe.so nic-eth0 noauth user test noccp nodetach defaultroute persist >/tmp/pppd.log 2>&1 &
has_session() { for _ in $(seq 90); do ip -n subscriber -4 addr show dev ppp0 2>/dev/null | grep -q $SUBSCRIBER && return; sleep 1; done; cat /tmp/pppd.log; false; }
check "a session is up" has_session
check "port 25 is open before op25b" reaches 25

check "a policy for the interface below the session is enforced" enforce "  - { name: sub, role: subscriber }"
check "port 25 is blocked in the session" does_not_reach 25
check "port 587 is open in the session" reaches 587
check "op25b has counted the blocked packets" sh -c "'$op25b' subscribers | grep -F $SUBSCRIBER"
check "the session is the same as before" sh -c "! grep -q 'Connection terminated' /tmp/pppd.log"
