# before: for n in one two three four five six; do useradd -m -K UMASK=022 -u $((4000 + $(echo $n | cksum | cut -c1-3))) $n; done; for n in two three four five; do mkdir -m 700 /home/$n/.ssh; chown $n /home/$n/.ssh; done
# before: K=AAAAC3NzaC1lZDI1NTE5AAAAI; printf "ssh-ed25519 ${K}Old old@host\nssh-rsa AAAAB3NzaC1yc2EAAAADAQABrsa # comment\nno-pty,from=\"10.*\" ssh-ed25519 ${K}Opt opt\n" | tee /home/two/.ssh/authorized_keys /home/five/.ssh/authorized_keys /home/three/.ssh/authorized_keys >/home/four/.ssh/authorized_keys; mkdir /etc/keys
# look: cd /home; find . -path '*.ssh*' | sort | xargs stat -c '%n %A %U %G'
# look: cd /home; tail -n +1 */.ssh/* /etc/keys/* | cat
plain: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOne}]}
enc: {ssh_auth.present: [{user: one}, {enc: ed25519}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIEnc}]}
enc-long: {ssh_auth.present: [{user: one}, {enc: ssh-ed25519}, {name: AAAAC3NzaC1lZDI1NTE5AAAAILong}, {comment: long}]}
enc-wrong: {ssh_auth.present: [{user: one}, {enc: nothing}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIWrong}]}
ecdsa: {ssh_auth.present: [{user: one}, {enc: ecdsa-sha2-nistp256}, {name: AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAA}]}
whole: {ssh_auth.present: [{user: one}, {name: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIWhole whole@host'}]}
whole-options: {ssh_auth.present: [{user: one}, {name: 'no-pty,command="echo a b" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIWopt w@host'}]}
comment: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAICom}, {comment: said}]}
options: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOpts}, {options: [no-pty, 'from="10.0.0.1"']}]}
names: {ssh_auth.present: [{user: two}, {names: [AAAAC3NzaC1lZDI1NTE5AAAAINa, AAAAC3NzaC1lZDI1NTE5AAAAINb]}, {enc: ed25519}]}
update: {ssh_auth.present: [{user: two}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOld}, {enc: ed25519}, {comment: new}]}
update-options: {ssh_auth.present: [{user: two}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOpt}, {enc: ed25519}, {options: [no-pty]}]}
config: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAICfg}, {config: /etc/keys/%u}]}
config-home: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIHm}, {config: '%h/.ssh/other'}]}
source: {ssh_auth.present: [{user: six}, {source: 'salt://files/keys'}, {name: unused}]}
source-none: {ssh_auth.present: [{user: one}, {source: 'salt://files/no-keys'}, {name: unused}]}
hash: {ssh_auth.present: [{user: one}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIFin}, {fingerprint_hash_type: md5}]}
user-none: {ssh_auth.present: [{user: nowhere}, {name: AAAAC3NzaC1lZDI1NTE5AAAAINo}]}
bad: {ssh_auth.present: [{user: one}, {name: '!!!'}]}
gone: {ssh_auth.absent: [{user: three}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOld}]}
gone-enc: {ssh_auth.absent: [{user: three}, {enc: ssh-rsa}, {name: AAAAB3NzaC1yc2EAAAADAQABrsa}, {comment: comment}]}
gone-options: {ssh_auth.absent: [{user: four}, {name: AAAAC3NzaC1lZDI1NTE5AAAAIOpt}, {options: [no-pty]}]}
gone-whole: {ssh_auth.absent: [{user: four}, {name: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOld old@host'}, {fingerprint_hash_type: md5}]}
gone-source: {ssh_auth.absent: [{user: five}, {source: 'salt://files/keys'}, {name: unused}]}
gone-config: {ssh_auth.absent: [{user: one}, {config: /etc/keys/none}, {name: AAAAC3NzaC1lZDI1NTE5AAAAINone}]}
never: {ssh_auth.absent: [{user: five}, {name: AAAAC3NzaC1lZDI1NTE5AAAAINever}]}
absent-user: {ssh_auth.absent: [{user: nowhere}, {name: AAAAC3NzaC1lZDI1NTE5AAAAINever}]}
nobody-bad-key: {ssh_auth.present: [{name: not a key}, {user: no-such-user}]}
