# before: OLD= NEW= SINGLE=one sh ../salt/files/repository.sh; L=/etc/apt/sources.list.d; echo 'deb [trusted=yes] file:///srv/gone ./' >$L/gone.list; echo 'deb [trusted=yes] file:///srv/main off main # kept words' >$L/off.list; echo '# deb [trusted=yes] file:///srv/on on main' >$L/on.list; echo 'deb file:///srv/options stable main' >$L/options.list
# before: cp ../salt/files/key.asc /srv/key.asc; printf 'Types: deb\nURIs: file:///srv/deb822\nSuites: stable\nComponents: main\n' >/etc/apt/sources.list.d/new.sources
# look: cd /etc/apt; tail -n +1 sources.list.d/* | cat
# look: ls /etc/apt/keyrings /etc/apt/trusted.gpg.d /usr/share/keyrings | grep -v -e debian -e ubuntu
plain: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/plain ./'}, {refresh: false}]}
file: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/file stable main'}, {file: /etc/apt/sources.list.d/file.list}, {refresh: false}]}
humanname: {pkgrepo.managed: [{humanname: Human}, {name: 'deb [trusted=yes] file:///srv/human stable main contrib'}, {file: /etc/apt/sources.list.d/human.list}, {refresh: false}]}
dist: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/dist stable main'}, {dist: stable}, {file: /etc/apt/sources.list.d/dist.list}, {refresh: false}]}
comps: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/comps stable main'}, {comps: 'main,contrib'}, {file: /etc/apt/sources.list.d/comps.list}, {refresh: false}]}
arch: {pkgrepo.managed: [{name: 'deb [arch=amd64 trusted=yes] file:///srv/arch stable main'}, {file: /etc/apt/sources.list.d/arch.list}, {refresh: false}]}
architectures: {pkgrepo.managed: [{name: 'deb file:///srv/archs stable main'}, {architectures: amd64}, {file: /etc/apt/sources.list.d/archs.list}, {refresh: false}]}
comments: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/comments stable main'}, {comments: [one, two]}, {file: /etc/apt/sources.list.d/comments.list}, {refresh: false}]}
src: {pkgrepo.managed: [{name: 'deb-src [trusted=yes] file:///srv/src stable main'}, {file: /etc/apt/sources.list.d/src.list}, {refresh: false}]}
disabled: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/disabled stable main'}, {disabled: true}, {file: /etc/apt/sources.list.d/disabled.list}, {refresh: false}]}
was-off: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/main off main'}, {enabled: false}, {file: /etc/apt/sources.list.d/off.list}, {refresh: false}]}
was-on: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/on on main'}, {file: /etc/apt/sources.list.d/on.list}, {refresh: false}]}
options: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/options stable main'}, {file: /etc/apt/sources.list.d/options.list}, {refresh: false}]}
there: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/main ./'}, {file: /etc/apt/sources.list.d/main.list}, {refresh: false}]}
clean: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/clean stable main'}, {clean_file: true}, {file: /etc/apt/sources.list.d/clean.list}, {refresh: false}]}
aptkey: {pkgrepo.managed: [{name: 'deb [signed-by=/etc/apt/keyrings/key.asc] file:///srv/signed stable main'}, {aptkey: false}, {key_url: file:///srv/key.asc}, {file: /etc/apt/sources.list.d/signed.list}, {refresh: false}]}
key-salt: {pkgrepo.managed: [{name: 'deb [signed-by=/etc/apt/keyrings/key2.asc] file:///srv/signed2 stable main'}, {aptkey: false}, {key_url: 'salt://files/key.asc'}, {file: /etc/apt/sources.list.d/signed2.list}, {refresh: false}]}
ppa: {pkgrepo.managed: [{ppa: nobody/nothing}, {refresh: false}]}
copr: {pkgrepo.managed: [{name: 'deb [trusted=yes] file:///srv/copr stable main'}, {copr: nobody/nothing}, {file: /etc/apt/sources.list.d/copr.list}, {refresh: false}]}
both: {pkgrepo.managed: [{name: 'deb file:///srv/both stable main'}, {key_url: file:///srv/key.asc}, {keyid: ABCD}, {keyserver: nowhere}, {refresh: false}]}
bad: {pkgrepo.managed: [{name: not a repository}, {refresh: false}]}
deb822: {pkgrepo.managed: [{name: 'deb file:///srv/deb822 stable main contrib'}, {file: /etc/apt/sources.list.d/new.sources}, {refresh: false}]}
gone: {pkgrepo.absent: [{name: 'deb [trusted=yes] file:///srv/gone ./'}]}
never: {pkgrepo.absent: [{name: 'deb [trusted=yes] file:///srv/never ./'}]}
