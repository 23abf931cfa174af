# before: OLD='one two three four five held held-a held-b held-c' NEW='new' SINGLE= sh ../salt/files/repository.sh; apt-mark hold held held-a held-b held-c
# look: apt-mark showhold; dpkg-query -W -f '${Package} ${Version}\n' one two three four five
one: {pkg.held: []}
two: {pkg.held: [{version: '1.0'}]}
three: {pkg.held: [{version: '2.0'}]}
list: {pkg.held: [{pkgs: [four, five: '1.0']}]}
held: {pkg.held: []}
none: {pkg.held: []}
held-a: {pkg.unheld: []}
held-b: {pkg.unheld: [{version: '1.0'}]}
unheld-list: {pkg.unheld: [{pkgs: [held-c, one-other]}]}
unheld-none: {pkg.unheld: []}
