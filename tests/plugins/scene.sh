# A host of which everything is known: `sh scene.sh FOLDER` within a machine of its own (see `boot.sh`).
# What the kernel says of load, memory and swap is written by hand; disks, users, processes, units, servers
# and certificates are made to measure.
set -eu
here=$1
instead() { cat >"/run/instead-${1##*/}" && mount --bind "/run/instead-${1##*/}" "$1"; }

echo '3.50 2.50 1.50 1/100 1' | instead /proc/loadavg
# A quarter of the memory can still be had, and two fifths of the swap space.
sed -E 's/^(MemTotal: *)[0-9]+/\11000000/; s/^(MemFree: *)[0-9]+/\1100000/; s/^(MemAvailable: *)[0-9]+/\1250000/
    s/^(SwapTotal: *)[0-9]+/\11000000/; s/^(SwapFree: *)[0-9]+/\1400000/; s/^(SwapCached: *)[0-9]+/\10/' \
    /proc/meminfo | instead /proc/meminfo

# Half full, nearly full, empty, out of inodes, and one that cannot be written.
disk() { mkdir -p "/mnt/$1" && mount -t tmpfs -o "size=10m,nr_inodes=$2" tmpfs "/mnt/$1"; }
disk half 1000 && fallocate -l 5m /mnt/half/ballast
disk full 1000 && fallocate -l 9500k /mnt/full/ballast
disk empty 1000
disk names 100 && (cd /mnt/names && seq 84 | xargs touch)
disk sealed 1000 && mount -o remount,ro /mnt/sealed
mkdir /mnt/nothing

# Two users.
python3 - <<'PY'
import struct
def record(kind, line, user):
    return struct.pack("<hxxi32s4s32s256shhiii4i20x", kind, 1, line, b"", user, b"", 0, 0, 0, 0, 0, 0, 0, 0, 0)
dead, user = 8, 7
open("/run/utmp", "wb").write(record(user, b"tty1", b"root") + record(user, b"pts/0", b"mail") + record(dead, b"pts/1", b"bin"))
PY

# Files of an age, and of a size.
mkdir /run/files && cd /run/files
truncate -s 10000 young && truncate -s 10000 old && touch -d '2 hours ago' old && truncate -s 0 empty
printf 'all is well\n' >log && cp log log.idle

# Certificates that end sooner or later.
mkdir /run/certs && cd /run/certs
openssl ecparam -name prime256v1 -genkey -noout -out key.pem
certificate() { # NAME DAYS
    openssl req -x509 -key key.pem -days "$2" -subj /CN=localhost -addext subjectAltName=DNS:localhost -out "$1.pem"
}
openssl ecparam -name prime256v1 -genkey -noout -out authority.key
openssl req -x509 -key authority.key -days 300 -subj /CN=authority -out authority.pem
openssl req -new -key key.pem -subj /CN=localhost -out trusted.csr
echo subjectAltName=DNS:localhost >names.cnf
openssl x509 -req -in trusted.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 200 -extfile names.cnf -out trusted.pem
certificate long 200 && certificate soon 15 && certificate now 3
: >index && echo 01 >serial
printf '[ca]\ndefault_ca=own\n[own]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n[any]\n' >ca.cnf
printf 'commonName=supplied\n' >>ca.cnf
openssl req -new -key key.pem -subj /CN=localhost -out ended.csr
openssl ca -batch -config ca.cnf -selfsign -keyfile key.pem -in ended.csr -out ended.pem -notext \
    -startdate 20200101000000Z -enddate 20210101000000Z 2>/dev/null

# Names, answered by a server of the host's own; one that nobody answers.
echo 'nameserver 127.0.0.1' >/run/resolv.conf && rm -f /etc/resolv.conf && cp /run/resolv.conf /etc/resolv.conf
echo 'hosts: files dns' >/etc/nsswitch.conf
# Whatever is sent there goes nowhere.
ip link set lo up
ip link add nowhere type dummy && ip addr add 10.99.0.1/24 dev nowhere && ip link set nowhere up

unit() { # NAME COMMAND…
    local name=$1; shift
    printf '[Service]\nExecStart=%s\n' "$*" >"/etc/systemd/system/$name.service"
}
cp /bin/sleep /run/worker
for worker in 1 2 3; do unit "worker$worker" "/run/worker 5000"; done
unit busy '/bin/sh -c "while :; do :; done"'
unit servers "/usr/bin/python3 $here/servers.py /run/certs"
unit names "/usr/sbin/dnsmasq --keep-in-foreground --user=root --no-resolv --no-hosts --host-record=one.test,192.0.2.1
    --host-record=two.test,192.0.2.1 --host-record=two.test,192.0.2.2 --local=/test/"
sed -i ':again; N; $!b again; s/\n    / /g' /etc/systemd/system/names.service
unit stopped /bin/true
unit broken /bin/false
systemctl daemon-reload
systemctl start worker1 worker2 worker3 busy servers names
systemctl start broken || true
for _ in $(seq 200); do
    ! [ -e /run/certs/ready ] || ! getent hosts one.test >/dev/null || ! systemctl is-failed -q broken || exit 0
    sleep 0.05
done
systemctl --no-pager status servers names >&2
exit 1
