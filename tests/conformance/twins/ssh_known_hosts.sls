# before: K=AAAAC3NzaC1lZDI1NTE5AAAAI; printf "old.example.org ssh-ed25519 ${K}FYLc8Nn2ZsOyBNeSdtyKRcBZKRQ8uxb1lSPBZs5kXcV\n[port.example.org]:2222 ssh-ed25519 ${K}FYLc8Nn2ZsOyBNeSdtyKRcBZKRQ8uxb1lSPBZs5kXcV\n" | tee known other odd >third
new: {ssh_known_hosts.present: [{name: new.example.org}, {config: '@ROOT@/known'}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIL0C5bUpTBMFQoTv1Qfg3JwMHxyaO2EZQCl5bMMLz2Lz}, {hash_known_hosts: false}]}
same: {ssh_known_hosts.present: [{name: old.example.org}, {config: '@ROOT@/known'}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIFYLc8Nn2ZsOyBNeSdtyKRcBZKRQ8uxb1lSPBZs5kXcV}, {hash_known_hosts: false}]}
changed: {ssh_known_hosts.present: [{name: old.example.org}, {config: '@ROOT@/other'}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIL0C5bUpTBMFQoTv1Qfg3JwMHxyaO2EZQCl5bMMLz2Lz}, {hash_known_hosts: false}, {timeout: 1}]}
port: {ssh_known_hosts.present: [{name: more.example.org}, {port: 2222}, {config: '@ROOT@/other'}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIL0C5bUpTBMFQoTv1Qfg3JwMHxyaO2EZQCl5bMMLz2Lz}, {hash_known_hosts: false}]}
print: {ssh_known_hosts.present: [{name: nowhere.invalid}, {timeout: 1}, {config: '@ROOT@/odd'}, {fingerprint: 'b0:a9:a0:f6:3b:0a:be:8b:3b:6f:0f:36:2f:4c:ad:dd'}, {fingerprint_hash_type: md5}]}
user-none: {ssh_known_hosts.present: [{name: new.example.org}, {user: nowhere}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIL0C5bUpTBMFQoTv1Qfg3JwMHxyaO2EZQCl5bMMLz2Lz}, {hash_known_hosts: false}]}
relative: {ssh_known_hosts.present: [{name: new.example.org}, {config: known}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIL0C5bUpTBMFQoTv1Qfg3JwMHxyaO2EZQCl5bMMLz2Lz}, {hash_known_hosts: false}]}
gone: {ssh_known_hosts.absent: [{name: old.example.org}, {config: '@ROOT@/third'}]}
gone-port: {ssh_known_hosts.absent: [{name: '[port.example.org]:2222'}, {config: '@ROOT@/third'}]}
gone-never: {ssh_known_hosts.absent: [{name: never.example.org}, {config: '@ROOT@/third'}]}
gone-no-file: {ssh_known_hosts.absent: [{name: never.example.org}, {config: '@ROOT@/none'}]}
gone-user-none: {ssh_known_hosts.absent: [{name: never.example.org}, {user: nowhere}]}
