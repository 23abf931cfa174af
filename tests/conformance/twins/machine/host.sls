# before: printf '127.0.0.1 localhost twin\n10.0.0.1 kept other # why\n10.0.0.2\ttabbed\n# remark\n10.0.0.3 here there\n10.0.0.5 five cinq # both\n10.0.0.6 six\n' >/etc/hosts
# look: cat /etc/hosts
new: {host.present: [{name: new}, {ip: 10.0.1.1}]}
same: {host.present: [{name: kept}, {ip: 10.0.0.1}]}
more: {host.present: [{name: further}, {ip: 10.0.0.2}]}
clean: {host.present: [{name: here}, {ip: 10.0.0.9}, {clean: true}]}
ips: {host.present: [{name: several}, {ip: [10.0.1.3]}]}
names: {host.present: [{ip: 10.0.1.5}, {names: [n1, n2]}]}
comment: {host.present: [{name: said}, {ip: 10.0.1.6}, {comment: what for}]}
comment-there: {host.present: [{name: six}, {ip: 10.0.0.6}, {comment: now said}]}
comment-same: {host.present: [{name: six}, {ip: 10.0.0.6}, {comment: now said}]}
v6: {host.present: [{name: six6}, {ip: '2001:db8::1'}]}
bad: {host.present: [{name: bad}, {ip: 10.0.0}]}
gone: {host.absent: [{name: other}, {ip: 10.0.0.1}]}
gone-ips: {host.absent: [{name: there}, {ip: [10.0.0.3, 10.0.9.9]}]}
gone-never: {host.absent: [{name: never}, {ip: 10.0.0.3}]}
only: {host.only: [{name: 10.0.0.5}, {hostnames: [five, fuenf]}]}
only-one: {host.only: [{name: 10.0.2.1}, {hostnames: single}]}
only-same: {host.only: [{name: 10.0.2.1}, {hostnames: [single]}]}
only-none: {host.only: [{name: 10.0.0.6}, {hostnames: []}]}
