# before: OLD='gone gone-version gone-other gone-a gone-b gone-normal purged purged-version purged-a purged-b purged-normal left' NEW= SINGLE= sh ../salt/files/repository.sh; dpkg -i /srv/main/epoch_1_1.0_all.deb /srv/main/needed_1.0_all.deb /srv/main/needy_1.0_all.deb; dpkg -r left
# look: dpkg-query -W -f '${Package} ${Version} ${Status}\n' | grep -E '^(gone|purged|epoch|need|left)'; ls -d /etc/gone* /etc/purged* /etc/left /etc/epoch
gone: {pkg.removed: []}
gone-version: {pkg.removed: [{version: '1.0'}]}
gone-other: {pkg.removed: [{version: '2.0'}]}
gone-list: {pkg.removed: [{pkgs: [gone-a, gone-b, never]}]}
gone-normal: {pkg.removed: [{normalize: false}]}
epoch: {pkg.removed: [{version: '1.0'}, {ignore_epoch: true}]}
needed: {pkg.removed: []}
never: {pkg.removed: []}
purged: {pkg.purged: []}
purged-version: {pkg.purged: [{version: '1.0'}]}
purged-list: {pkg.purged: [{pkgs: [purged-a, purged-b]}]}
purged-normal: {pkg.purged: [{normalize: false}, {ignore_epoch: true}]}
left: {pkg.purged: []}
purged-never: {pkg.purged: []}
