# needs: iptables iptables
# before: iptables -N there; iptables -N full; iptables -A full -j RETURN; iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -A there -s 10.0.0.1/32 -j DROP; iptables -A there -s 10.0.0.2/32 -j DROP; iptables -A there -s 10.0.0.3/32 -j DROP; iptables -N used; iptables -A FORWARD -j used; iptables -N places; iptables -A places -p udp -j DROP; iptables -A places -p icmp -j DROP; iptables -t mangle -N old; iptables -A OUTPUT -p udp -j ACCEPT; iptables -N byplace; iptables -A byplace -p udp -j DROP; iptables -A byplace -p icmp -j DROP; iptables -A byplace -p sctp -j DROP; iptables -A byplace -p esp -j DROP; iptables -A byplace -p ah -j DROP; ip6tables -P INPUT ACCEPT; mkdir -p /etc/iptables
# look: iptables-save | grep '^[-:*]' | cut -d[ -f1
# look: ip6tables-save | grep '^[-:*]' | cut -d[ -f1
# look: grep -h '^[-:*]' /etc/iptables/* | cut -d[ -f1; ls /etc/iptables
# tree: none
append-new: {iptables.append: [{chain: INPUT}, {jump: ACCEPT}, {match: [state, comment]}, {comment: Allow HTTP}, {connstate: NEW}, {dport: 80}, {proto: tcp}, {sport: '1025:65535'}]}
append-there: {iptables.append: [{chain: INPUT}, {protocol: tcp}, {dport: 22}, {jump: ACCEPT}]}
append-table: {iptables.append: [{table: mangle}, {family: ipv4}, {chain: PREROUTING}, {source: '!10.0.0.0/8'}, {jump: MARK}, {set-mark: 7}]}
append-six: {iptables.append: [{family: ipv6}, {chain: INPUT}, {match: icmp6}, {proto: ipv6-icmp}, {icmpv6-type: 128}, {jump: ACCEPT}]}
append-several: {iptables.append: [{chain: INPUT}, {proto: tcp}, {dports: [80, 443]}, {jump: ACCEPT}]}
append-not-several: {iptables.append: [{chain: INPUT}, {proto: tcp}, {sports: ['!53', 54]}, {target: DROP}]}
append-iface: {iptables.append: [{chain: FORWARD}, {if: not eth0}, {of: eth1}, {jump: LOG}, {log-prefix: 'a b: '}, {log-level: 4}]}
append-nat: {iptables.append: [{table: nat}, {chain: POSTROUTING}, {jump: MASQUERADE}, {random: ''}]}
append-limit: {iptables.append: [{chain: INPUT}, {match: limit}, {limit: 5/min}, {jump: REJECT}, {reject-with: icmp-port-unreachable}]}
append-saved: {iptables.append: [{name: saved}, {chain: OUTPUT}, {proto: tcp}, {syn: ''}, {jump: ACCEPT}, {save: /etc/iptables/own}]}
append-no-chain: {iptables.append: [{chain: nowhere}, {jump: ACCEPT}]}
append-no-target: {iptables.append: [{chain: INPUT}, {jump: nowhere}]}
insert-first: {iptables.insert: [{table: filter}, {family: ipv4}, {position: 1}, {chain: INPUT}, {proto: udp}, {dport: 53}, {jump: ACCEPT}]}
insert-last: {iptables.insert: [{position: -1}, {chain: places}, {proto: esp}, {jump: ACCEPT}]}
insert-there: {iptables.insert: [{position: 1}, {chain: INPUT}, {protocol: tcp}, {dport: 22}, {jump: ACCEPT}]}
insert-none: {iptables.insert: [{position: 99}, {chain: INPUT}, {proto: gre}, {jump: ACCEPT}]}
insert-out: {iptables.insert: [{position: 1}, {chain: OUTPUT}, {proto: gre}, {jump: ACCEPT}]}
delete-there: {iptables.delete: [{table: filter}, {family: ipv4}, {chain: there}, {source: 10.0.0.2}, {jump: DROP}]}
delete-never: {iptables.delete: [{chain: there}, {source: 10.0.0.9}, {jump: DROP}]}
delete-place: {iptables.delete: [{chain: byplace}, {position: 1}, {jump: DROP}]}
delete-saved: {iptables.delete: [{chain: OUTPUT}, {proto: udp}, {jump: ACCEPT}, {save: /etc/iptables/less}]}
chain-new: {iptables.chain_present: [{name: fresh}, {table: filter}, {family: ipv4}]}
chain-there: {iptables.chain_present: [{name: there}]}
chain-other: {iptables.chain_present: [{name: fresh}, {table: nat}, {family: ipv6}]}
chain-long: {iptables.chain_present: [{name: a-name-that-is-much-too-long-for-a-chain}]}
gone: {iptables.chain_absent: [{name: full}, {table: filter}, {family: ipv4}]}
gone-mangle: {iptables.chain_absent: [{name: old}, {table: mangle}]}
gone-never: {iptables.chain_absent: [{name: never}]}
gone-used: {iptables.chain_absent: [{name: used}]}
policy-new: {iptables.set_policy: [{table: filter}, {family: ipv4}, {chain: FORWARD}, {policy: DROP}]}
policy-same: {iptables.set_policy: [{chain: INPUT}, {policy: ACCEPT}, {family: ipv6}]}
policy-saved: {iptables.set_policy: [{chain: OUTPUT}, {table: mangle}, {policy: DROP}, {save: true}]}
policy-none: {iptables.set_policy: [{chain: FORWARD}, {policy: MAYBE}]}
flush-chain: {iptables.flush: [{table: filter}, {family: ipv4}, {chain: places}]}
flush-table: {iptables.flush: [{table: raw}]}
flush-none: {iptables.flush: [{chain: nowhere}]}
