# A bond of two NICs with `tunnels: [4in6]`: DS-Lite over it is filtered inside, in native mode.
. "$(dirname "$0")/lib.sh"

internet
# Each end is a bond of its own; XDP goes to the bond, which hands it to both.
line leg0 eth0
line leg1 eth1
for side in "" "-n subscriber"; do
    ip $side link add bond0 type bond mode active-backup miimon 100
done
for leg in leg0 leg1; do ip link set $leg down; ip link set $leg master bond0; done
for leg in eth0 eth1; do ip -n subscriber link set $leg down; ip -n subscriber link set $leg master bond0; done
ip link set bond0 up
ip -n subscriber link set bond0 up
ip addr add 2001:db8:a::1/64 dev bond0 nodad
ip -n subscriber addr add 2001:db8:a::10/64 dev bond0 nodad
# This router ends the tunnel, too, so that the packets show what passed.
ip link add aftr type ip6tnl mode ipip6 local 2001:db8:a::1 remote 2001:db8:a::10
ip link set aftr up
ip addr add 192.0.2.1/24 dev aftr
ip -n subscriber link add b4 type ip6tnl mode ipip6 local 2001:db8:a::10 remote 2001:db8:a::1
ip -n subscriber link set b4 up
ip -n subscriber addr add $SUBSCRIBER/24 dev b4
ip -n subscriber route add default via 192.0.2.1 dev b4
wait_for_line() { for _ in $(seq 60); do ip netns exec subscriber ping -c1 -W1 192.0.2.1 && return; done; false; }
check "the tunnel works before op25b" wait_for_line
check "port 25 is open before op25b" reaches 25

check "a policy for a bond with tunnels is enforced" enforce "  - { name: bond0, role: subscriber, tunnels: [4in6], xdp: native }"
check "op25b says that it runs in native mode on the bond" sh -c "'$op25b' status | grep -E 'bond0.*native'"
check "the kernel runs it natively on the bond" sh -c "ip -d link show bond0 | grep -qw 'prog/xdp'"
check "port 25 is blocked inside the tunnel" does_not_reach 25
check "port 587 is open inside the tunnel" reaches 587
ip link set leg0 down
check "port 25 is blocked over the other leg" does_not_reach 25
check "port 587 is open over the other leg" reaches 587
