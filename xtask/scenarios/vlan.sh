# A subscriber on 802.1Q: the filter on the parent judges tagged frames, whether the NIC has taken the tag off (`rxvlan`) or not, and
# an untagged one; on the VLAN device itself it runs in generic mode.
. "$(dirname "$0")/lib.sh"

internet
line sub eth0
ip link add link sub name sub.100 type vlan id 100
ip addr add 192.0.2.1/24 dev sub.100
ip link set sub.100 up
ip -n subscriber link add link eth0 name eth0.100 type vlan id 100
ip -n subscriber addr add $SUBSCRIBER/24 dev eth0.100
ip -n subscriber link set eth0.100 up
ip -n subscriber route add default via 192.0.2.1
check "port 25 is open before op25b" reaches 25

check "a policy for the parent is enforced" enforce "  - { name: sub, role: subscriber }"
check "port 25 is blocked in the VLAN" does_not_reach 25
check "port 587 is open in the VLAN" reaches 587
for offload in off on; do
    ethtool -K sub rxvlan $offload 2>/dev/null
    ip netns exec subscriber ethtool -K eth0 txvlan $offload
    check "port 25 is blocked with VLAN offloads $offload" does_not_reach 25
    check "port 587 is open with VLAN offloads $offload" reaches 587
done
systemctl stop op25b-scenario
"$op25b" stop --detach >/dev/null 2>&1
check "port 25 is open after the filter was detached" reaches 25

check "a policy for the VLAN device is enforced" enforce "  - { name: sub.100, role: subscriber }"
check "port 25 is blocked on the VLAN device" does_not_reach 25
check "port 587 is open on the VLAN device" reaches 587
