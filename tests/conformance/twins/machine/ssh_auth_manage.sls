# before: for n in one two three four; do useradd -m -K UMASK=022 $n; done; mkdir -m 700 /home/two/.ssh /home/three/.ssh; chown two /home/two/.ssh; chown three /home/three/.ssh
# before: K=AAAAC3NzaC1lZDI1NTE5AAAAI; printf "ssh-ed25519 ${K}Old old@host\nssh-ed25519 ${K}Kept kept\n" | tee /home/three/.ssh/other >/home/two/.ssh/authorized_keys
# look: cd /home; find . -path '*.ssh*' | sort | xargs stat -c '%n %A %U %G'
# look: cd /home; tail -n +1 */.ssh/* | cat
new: {ssh_auth.manage: [{user: one}, {enc: ssh-ed25519}, {comment: c}, {options: [no-pty]}, {ssh_keys: [AAAAC3NzaC1lZDI1NTE5AAAAIOne]}]}
some: {ssh_auth.manage: [{user: two}, {ssh_keys: [AAAAC3NzaC1lZDI1NTE5AAAAIKept, AAAAC3NzaC1lZDI1NTE5AAAAINew]}]}
config: {ssh_auth.manage: [{user: three}, {config: '%h/.ssh/other'}, {fingerprint_hash_type: md5}, {ssh_keys: [AAAAC3NzaC1lZDI1NTE5AAAAIKept]}]}
source: {ssh_auth.manage: [{user: four}, {enc: ed25519}, {source: "salt://files/keys"}, {ssh_keys: [AAAAC3NzaC1lZDI1NTE5AAAAIOne, AAAAC3NzaC1lZDI1NTE5AAAAIFile]}]}
