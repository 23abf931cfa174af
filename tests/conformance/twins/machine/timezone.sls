# before: rm -f /usr/bin/timedatectl
# look: readlink /etc/localtime; cat /etc/timezone; cat /etc/adjtime
# tree: none
local: {timezone.system: [{name: Europe/Vienna}]}
same: {timezone.system: [{name: Europe/Vienna}, {utc: true}]}
none: {timezone.system: [{name: Nowhere/At-all}]}
