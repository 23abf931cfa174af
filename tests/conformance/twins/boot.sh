# A throw-away machine: this one's files beneath an overlay, with users, package sources, processes and a
# systemd of its own. Whatever happens there is gone with it.
#
#   bash boot.sh FOLDER [SHARED…]   lives until it is killed; FOLDER and SHARED are the same in both
#
# FOLDER/init holds the process id of its init, to go there with
# `nsenter -t ID -m -u -i -n -p -C -r -w COMMAND`. Root only.
set -eu
folder=$1

if [ "${BOOT:-}" != inside ]; then
    # A control group of its own, or two machines would end each other's services.
    own=()
    for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        [ -e "$tree/cgroup.procs" ] || continue
        mkdir "$tree/machine-$$"
        echo $$ >"$tree/machine-$$/cgroup.procs"
        own+=("$tree")
    done
    BOOT=inside setpriv --pdeathsig KILL unshare --uts --mount --pid --cgroup --ipc --net --fork --kill-child bash "$0" "$@" &
    trap 'kill -9 $!' TERM INT
    until init=$(cat "/proc/$!/task/$!/children") && [ -n "$init" ]; do sleep 0.02; done
    echo "${init% }" >"$folder/init.new" && mv "$folder/init.new" "$folder/init"
    wait $! || true
    for tree in ${own[@]+"${own[@]}"}; do
        echo $$ >"$tree/cgroup.procs"
        for _ in 1 2 3 4 5 6 7 8 9; do # what was killed takes its time
            find "$tree/machine-$$" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.1
        done
    done
    exit
fi

mount --make-rprivate /
mkdir -p "$folder/disk"
mount -t tmpfs -o size=1g,mode=755 tmpfs "$folder/disk"
cd "$folder/disk"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir="$PWD/up",workdir="$PWD/work" root
cd root

mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs sysfs sys
for place in run tmp home root; do mount -t tmpfs -o mode=1777 tmpfs $place; done
chmod 755 run home && chmod 700 root
rm -f etc/gitconfig
mkdir -p run/lock
if [ -e /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified || true
fi
for shared in "$@"; do
    [ -d "$shared" ] && mkdir -p ".$shared" || { mkdir -p ".${shared%/*}" && touch ".$shared"; }
    mount --bind "$shared" ".$shared"
done

# The same users everywhere, so that new ones get the same numbers.
cat >etc/passwd <<'END'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
printf '%s\n' root:x:0: daemon:x:1: bin:x:2: adm:x:4: tty:x:5: mail:x:8: sudo:x:27: www-data:x:33: \
    shadow:x:42: utmp:x:43: staff:x:50: crontab:x:101: users:x:100: nogroup:x:65534: >etc/group
sed 's/:.*/:*:19000:0:99999:7:::/' etc/passwd >etc/shadow
sed 's/:.*/:*::/' etc/group >etc/gshadow
rm -f etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid etc/subgid etc/.pwd.lock
touch etc/subuid etc/subgid
chgrp 42 etc/shadow etc/gshadow && chmod 640 etc/shadow etc/gshadow
mkdir -p var/spool/cron/crontabs && find var/spool/cron/crontabs -type f -delete
[ ! -e usr/bin/crontab ] || { chown 0:101 usr/bin/crontab var/spool/cron/crontabs && chmod 2755 usr/bin/crontab; }
chmod 1730 var/spool/cron/crontabs

: >var/lib/dpkg/statoverride
# No packages but the case's own, and nothing to ask or to start.
rm -rf etc/apt var/lib/apt/lists var/cache/apt usr/sbin/policy-rc.d
mkdir -p etc/apt/apt.conf.d etc/apt/preferences.d etc/apt/sources.list.d etc/apt/trusted.gpg.d etc/apt/keyrings \
    var/lib/apt/lists/partial var/cache/apt/archives/partial
echo 'APT::Sandbox::User "root";' >etc/apt/apt.conf.d/own

# Nothing but systemd itself: what a machine does while it comes up would reach the one below.
units=etc/systemd/system
rm -rf $units usr/local/lib/systemd usr/lib/systemd/system/{sysinit,basic,multi-user,default}.target.wants
mkdir -p $units
for target in sysinit basic multi-user twin; do printf '[Unit]\nDescription=%s\n' $target >$units/$target.target; done
rm -f etc/localtime etc/timezone && ln -s /usr/share/zoneinfo/UTC etc/localtime
echo twin >etc/hostname
hostname twin
printf '127.0.0.1 localhost twin\n' >etc/hosts

mkdir -p mnt/below
pivot_root . mnt/below
cd /
umount -l /mnt/below
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=other \
    /usr/lib/systemd/systemd --system --unit=twin.target --log-target=console --log-level=warning --show-status=0
