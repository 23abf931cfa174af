# before: groupadd -g 2000 twins; groupadd -g 2001 others; groupadd -g 2002 more; mkdir /home/old /etc/skel2; useradd -u 2100 -g twins -G others -d /home/old -s /bin/sh -c 'Old One,1,2,3' old; echo old >/home/old/f
# before: for name in gone purged forced pw-kept pw-set pw-empty pw-lock pw-unlock uid-change uid-kept gid-change gid-kept moved persist groups-add groups-set shell full dates; do useradd -m -K UMASK=022 -p '$6$salt$old' -g twins -G others $name; done; usermod -L pw-unlock; chage -d 19000 dates; usermod -u 2200 uid-change; usermod -u 2201 uid-kept
# look: awk -F: '$3 > 900 && $3 < 60000' /etc/passwd
# look: awk -F: 'NR > 7 { print $1, $2 ~ /^.6.salt/ || length($2) < 14 ? $2 : "some", $4, $5, $6, $7, $8 }' /etc/shadow
# look: cat /etc/group
# look: cd /home; find . -maxdepth 1 | sort | xargs stat -c '%n %A %U %G'
plain: {user.present: []}
named: {user.present: [{name: other-name}]}
uid: {user.present: [{uid: 2300}]}
uid-taken: {user.present: [{uid: 2100}]}
uid-shared: {user.present: [{uid: 2100}, {unique: false}]}
gid: {user.present: [{uid: 2302}, {gid: 2000}]}
gid-name: {user.present: [{uid: 2303}, {gid: twins}]}
gid-none: {user.present: [{gid: 4444}]}
usergroup: {user.present: [{uid: 2304}, {usergroup: true}]}
usergroup-none: {user.present: [{uid: 2305}, {usergroup: false}]}
groups: {user.present: [{uid: 2306}, {groups: [twins, others]}]}
groups-none: {user.present: [{groups: [twins, nowhere]}]}
optional: {user.present: [{uid: 2307}, {groups: [twins]}, {optional_groups: [others, nowhere]}]}
optional-alone: {user.present: [{uid: 2308}, {optional_groups: [nowhere]}]}
both: {user.present: [{uid: 2309}, {groups: [twins]}, {optional_groups: [twins]}]}
groups-set: {user.present: [{groups: [more]}]}
groups-add: {user.present: [{groups: [more]}, {remove_groups: false}]}
home: {user.present: [{uid: 2310}, {home: /home/elsewhere}]}
home-none: {user.present: [{uid: 2311}, {createhome: false}]}
moved: {user.present: [{home: /home/new}]}
persist: {user.present: [{home: /home/new2}, {persist_home: true}]}
password: {user.present: [{uid: 2312}, {password: '$6$salt$other'}, {date: 19001}]}
pw-set: {user.present: [{password: '$6$salt$new'}]}
pw-kept: {user.present: [{password: '$6$salt$new'}, {enforce_password: false}]}
pw-empty: {user.present: [{empty_password: true}]}
pw-empty-new: {user.present: [{uid: 2313}, {empty_password: true}]}
pw-lock: {user.present: [{password_lock: true}]}
pw-unlock: {user.present: [{password_lock: false}]}
pw-lock-new: {user.present: [{uid: 2314}, {password_lock: true}]}
shell: {user.present: [{shell: /bin/sh}]}
shell-new: {user.present: [{uid: 2315}, {shell: /usr/sbin/nologin}]}
system: {user.present: [{system: true}, {usergroup: false}, {gid: 2000}, {createhome: false}]}
full: {user.present: [{fullname: 'Full Name'}, {roomnumber: 12}, {workphone: '34'}, {homephone: '56'}, {other: rest}]}
full-new: {user.present: [{uid: 2316}, {fullname: 'Full Name'}, {roomnumber: '12'}, {workphone: '34'}, {homephone: '56'}, {other: rest}]}
old: {user.present: [{fullname: ''}, {roomnumber: ''}]}
dates: {user.present: [{date: 19002}, {mindays: 1}, {maxdays: 90}, {inactdays: 5}, {warndays: 6}, {expire: 21000}]}
dates-new: {user.present: [{uid: 2317}, {date: 19003}, {mindays: 1}, {maxdays: 90}, {inactdays: 5}, {warndays: 6}, {expire: 21000}]}
uid-change: {user.present: [{uid: 2318}, {allow_uid_change: true}]}
uid-kept: {user.present: [{uid: 2319}]}
gid-change: {user.present: [{gid: 2001}, {allow_gid_change: true}]}
gid-kept: {user.present: [{gid: 2001}]}
nologinit: {user.present: [{uid: 2320}, {nologinit: true}]}
local: {user.present: [{uid: 2321}, {local: true}]}
loginclass: {user.present: [{uid: 2322}, {loginclass: staff}]}
colon: {user.present: [{fullname: 'a:b'}]}
gone: {user.absent: []}
gone-local: {user.absent: [{name: none-local}, {local: true}]}
purged: {user.absent: [{purge: true}]}
forced: {user.absent: [{force: true}]}
never: {user.absent: []}
