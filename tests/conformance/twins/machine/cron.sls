# before: for n in one two; do useradd -m -K UMASK=022 $n; done; printf 'MAILTO=root\n# by hand\n5 * * * * by-hand\n# Lines below here are managed by Salt, do not edit\n# gone SALT_CRON_IDENTIFIER:gone\n1 2 3 4 5 gone\n# SALT_CRON_IDENTIFIER:kept\n1 * * * * kept\n# old comment SALT_CRON_IDENTIFIER:change\n1 * * * * old\nOLD=value\n@daily special-gone\n#DISABLED#2 * * * * was-off\n' | crontab -
# look: crontab -l
# look: crontab -u one -l
# look: crontab -u two -l
plain: {cron.present: [{user: one}, {name: echo plain}]}
times: {cron.present: [{user: one}, {name: echo times}, {minute: 5}, {hour: '*/2'}, {daymonth: 1-15}, {month: 2}, {dayweek: mon}]}
comment: {cron.present: [{user: one}, {name: echo comment}, {comment: what it does}, {minute: '0'}]}
identified: {cron.present: [{user: one}, {name: echo identified}, {identifier: my-id}, {hour: 3}]}
same-id: {cron.present: [{user: one}, {name: echo identified again}, {identifier: my-id2}, {comment: with comment}]}
commented: {cron.present: [{user: one}, {name: echo off}, {commented: true}, {identifier: off}]}
special: {cron.present: [{user: one}, {name: echo special}, {special: '@daily'}]}
special-id: {cron.present: [{user: one}, {name: echo special-id}, {special: '@reboot'}, {identifier: sp}, {comment: at start}]}
percent: {cron.present: [{user: one}, {name: date +\%H}]}
two: {cron.present: [{user: two}, {name: echo two}, {minute: 7}]}
kept: {cron.present: [{name: kept}, {identifier: kept}, {minute: 1}]}
change: {cron.present: [{name: new}, {identifier: change}, {minute: 2}, {comment: new comment}]}
by-hand: {cron.present: [{name: by-hand}, {minute: 5}]}
on-again: {cron.present: [{name: was-off}, {minute: 2}, {commented: false}]}
no-id: {cron.present: [{user: one}, {name: echo no-id}, {identifier: false}]}
nobody: {cron.present: [{user: nowhere}, {name: echo nobody}]}
gone: {cron.absent: [{identifier: gone}]}
gone-name: {cron.absent: [{name: gone-by-name}, {user: one}]}
special-gone: {cron.absent: [{special: '@daily'}]}
never: {cron.absent: [{user: two}]}
absent-nobody: {cron.absent: [{user: nowhere}]}
env: {cron.env_present: [{name: PATH}, {value: /bin:/sbin}, {user: one}]}
env-old: {cron.env_present: [{name: OLD}, {value: new}]}
env-number: {cron.env_present: [{name: NUMBER}, {value: '5'}, {user: two}]}
env-space: {cron.env_present: [{name: SPACE}, {value: a b}, {user: two}]}
env-gone: {cron.env_absent: [{name: MAILTO}, {user: root}]}
env-never: {cron.env_absent: [{name: NEVER}, {user: two}]}
