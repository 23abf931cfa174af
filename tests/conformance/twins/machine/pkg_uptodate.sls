# before: OLD='old old-a' NEW= SINGLE='single' sh ../salt/files/repository.sh
# look: dpkg-query -W -f '${Package} ${Version} ${Status}\n' | grep -E '^(old|single)'
some: {pkg.uptodate: [{pkgs: [old]}]}
all: {pkg.uptodate: [{refresh: true}]}
