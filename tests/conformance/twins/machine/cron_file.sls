# before: for n in one two three four five six; do useradd -m -K UMASK=022 $n; done; for n in two three; do printf '1 * * * * old\n' | crontab -u $n -; done; printf '3 * * * * plain\n' >plain
# look: for n in one two three four five six; do echo $n; crontab -u $n -l 2>&1; done
new: {cron.file: [{name: 'salt://files/crontab'}, {user: one}]}
old: {cron.file: [{name: 'salt://files/crontab'}, {user: two}, {backup: minion}]}
kept: {cron.file: [{name: 'salt://files/crontab'}, {user: three}, {replace: false}]}
template: {cron.file: [{name: 'salt://files/crontab.jinja'}, {user: four}, {template: jinja}, {context: {minute: 7}}, {defaults: {minute: 8, what: defaulted}}]}
hash: {cron.file: [{name: 'salt://files/crontab'}, {user: five}, {source_hash: sha256=e716323d1b15f098eacad8ba1ee5c0391b108d852c384ccbc7cafb3e533272f4}]}
hash-name: {cron.file: [{name: 'file://@ROOT@/plain'}, {user: six}, {source_hash: 'salt://files/crontab.hashes'}, {source_hash_name: other}]}
none: {cron.file: [{name: 'salt://files/no-crontab'}, {user: one}]}
nobody: {cron.file: [{name: 'salt://files/crontab'}, {user: nowhere}]}
