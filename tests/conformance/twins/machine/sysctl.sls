# before: ip link set lo up; mkdir -p /etc/sysctl.d; printf '# remark\nnet.ipv4.ip_default_ttl = 64\nnet.ipv4.tcp_ecn=2\nnet.none.such = 2\n' >/etc/sysctl.d/own.conf; printf 'net.ipv4.conf.lo.forwarding = 0\n' >/etc/sysctl.d/99-salt.conf; : >/etc/sysctl.conf; sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.lo.log_martians=0
# look: sysctl net.ipv4.ip_forward net.ipv4.conf.lo.log_martians net.ipv4.ip_default_ttl net.ipv4.tcp_ecn net.ipv4.ip_local_port_range
# look: tail -n +1 /etc/sysctl.d/own.conf /etc/sysctl.d/99-salt.conf /etc/sysctl.conf
# tree: none
plain: {sysctl.present: [{name: net.ipv4.ip_forward}, {value: 1}]}
config: {sysctl.present: [{name: net.ipv4.conf.lo.log_martians}, {value: 1}, {config: /etc/sysctl.d/own.conf}]}
config-there: {sysctl.present: [{name: net.ipv4.ip_default_ttl}, {value: 65}, {config: /etc/sysctl.d/own.conf}]}
config-same: {sysctl.present: [{name: net.ipv4.tcp_ecn}, {value: 2}, {config: /etc/sysctl.d/own.conf}]}
several: {sysctl.present: [{name: net.ipv4.ip_local_port_range}, {value: 32000 60000}]}
new-config: {sysctl.present: [{name: net.ipv4.conf.lo.forwarding}, {value: '0'}, {config: /etc/sysctl.d/none.conf}]}
nowhere: {sysctl.present: [{name: net.no.such}, {value: 1}]}
nowhere-configured: {sysctl.present: [{name: net.none.such}, {value: 1}, {config: /etc/sysctl.d/own.conf}]}
