# before: for n in one two three; do useradd -M -N $n; done; groupadd -g 3000 old; groupadd -g 3001 gone; groupadd -g 3002 full; usermod -a -G full one; usermod -a -G full two; groupadd -g 3003 less; usermod -a -G less one; usermod -a -G less two; groupadd -g 3004 more; usermod -a -G more one; groupadd -g 3005 primary; usermod -g primary three
# look: cat /etc/group
plain: {group.present: []}
gid: {group.present: [{gid: 3100}]}
gid-text: {group.present: [{gid: '3101'}]}
gid-taken: {group.present: [{gid: 3000}]}
gid-shared: {group.present: [{gid: 3000}, {non_unique: true}]}
gid-low: {group.present: [{gid: 0}]}
named: {group.present: [{name: other-name}, {gid: 3102}]}
old: {group.present: [{gid: 3103}]}
system: {group.present: [{system: true}]}
members: {group.present: [{gid: 3104}, {members: [one, two]}]}
members-none: {group.present: [{gid: 3105}, {members: [nobody-here]}]}
full: {group.present: [{members: [one]}]}
more: {group.present: [{addusers: [two, three]}]}
less: {group.present: [{delusers: [two, three]}]}
add-new: {group.present: [{gid: 3106}, {addusers: [one]}]}
del-new: {group.present: [{gid: 3107}, {delusers: [one]}]}
both: {group.present: [{gid: 3108}, {members: [one]}, {addusers: [two]}]}
overlap: {group.present: [{gid: 3109}, {addusers: [one, two]}, {delusers: [two]}]}
local: {group.present: [{gid: 3110}, {local: true}]}
gone: {group.absent: []}
gone-local: {group.absent: [{name: none-local}, {local: true}]}
never: {group.absent: []}
primary: {group.absent: []}
