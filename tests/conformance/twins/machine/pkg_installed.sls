# before: OLD='old old-up old-allow old-verify old-verify-off old-again held held-kept old-glob' NEW='plain version glob least exact latest list-a list-b list-c named-a named-b recent in-pkgs-new' SINGLE='fresh stale skip suggest normal hold reload list-d list-e capab' sh ../salt/files/repository.sh
# before: apt-mark hold held held-kept; dpkg -i /srv/main/old-allow_2.0_all.deb; echo changed >/usr/share/old-verify/version; echo changed >/usr/share/old-verify-off/version
# look: dpkg-query -W -f '${Package} ${Version} ${Status}\n' | grep -E '^(old|plain|version|glob|least|exact|latest|list|named|recent|in-pkgs|fresh|stale|skip|suggest|normal|hold|held|reload|capab|epoch|need|ask|provider|broken|elsewhere|new-from|loose)'
# look: apt-mark showhold; cat /usr/share/old-verify*/version
plain: {pkg.installed: []}
old: {pkg.installed: []}
none: {pkg.installed: []}
broken: {pkg.installed: []}
needy: {pkg.installed: []}
virtual: {pkg.installed: []}
version: {pkg.installed: [{version: '1.0'}]}
version-number: {pkg.installed: [{name: exact}, {version: 1.0}]}
version-none: {pkg.installed: [{name: capab}, {version: '9.9'}]}
glob: {pkg.installed: [{version: '1.*'}]}
least: {pkg.installed: [{version: '>=1.5'}]}
least-none: {pkg.installed: [{name: capab}, {version: '>=3'}]}
latest: {pkg.installed: [{version: latest}]}
old-up: {pkg.installed: [{version: '2.0'}]}
old-glob: {pkg.installed: [{version: '1.*'}]}
old-allow: {pkg.installed: [{version: '1.0'}, {allow_updates: true}]}
list: {pkg.installed: [{pkgs: [list-a, list-b: '1.0', list-c: '<2.0']}]}
list-some: {pkg.installed: [{pkgs: [list-d, no-such-package]}]}
list-old: {pkg.installed: [{pkgs: [old, list-e]}]}
names: {pkg.installed: [{names: [named-a, named-b]}]}
sources: {pkg.installed: [{sources: [loose-one: /srv/loose/loose-one_1.0_all.deb]}]}
sources-two: {pkg.installed: [{sources: [loose-two: /srv/loose/loose-two_1.0_all.deb, loose-one: /srv/loose/loose-one_1.0_all.deb]}]}
sources-none: {pkg.installed: [{sources: [loose-three: /srv/loose/not-there.deb]}]}
from: {pkg.installed: [{name: elsewhere}, {fromrepo: other}]}
from-newer: {pkg.installed: [{name: new-from}, {fromrepo: other}]}
fresh: {pkg.installed: [{refresh: true}]}
stale: {pkg.installed: [{refresh: false}]}
skip: {pkg.installed: [{skip_verify: true}]}
suggest: {pkg.installed: [{skip_suggestions: true}]}
normal: {pkg.installed: [{normalize: false}]}
epoch: {pkg.installed: [{version: '1.0'}, {ignore_epoch: true}]}
old-verify: {pkg.installed: [{pkg_verify: true}]}
old-again: {pkg.installed: [{reinstall: true}]}
hold: {pkg.installed: [{hold: true}]}
held: {pkg.installed: [{version: '2.0'}, {update_holds: true}]}
held-kept: {pkg.installed: [{version: '2.0'}]}
asking: {pkg.installed: [{install_recommends: false}]}
reload: {pkg.installed: [{reload_modules: true}]}
