# before: OLD='old old-a old-b old-flags held' NEW='new new-a' SINGLE='single skip' sh ../salt/files/repository.sh; apt-mark hold held; dpkg -i /srv/main/single_1.0_all.deb
# look: dpkg-query -W -f '${Package} ${Version} ${Status}\n' | grep -E '^(old|new|single|skip|held|elsewhere)'
old: {pkg.latest: []}
new: {pkg.latest: []}
single: {pkg.latest: [{refresh: true}]}
list: {pkg.latest: [{pkgs: [old-a, new-a, single]}]}
elsewhere: {pkg.latest: [{fromrepo: other}]}
skip: {pkg.latest: [{skip_verify: true}, {refresh: false}]}
old-flags: {pkg.latest: [{watch_flags: false}]}
held: {pkg.latest: []}
none: {pkg.latest: []}
