# before: mkdir -p /mnt/there /mnt/opts /mnt/gone /mnt/gone2 /mnt/gone3 /mnt/bound /mnt/source /mnt/user /mnt/other; printf 'tmpfs /mnt/gone2 tmpfs defaults 0 0\n# remark\ntmpfs /mnt/opts tmpfs size=1m 0 0\n' >/etc/fstab; cp /etc/fstab /etc/fstab.own; for n in gone opts; do mount -t tmpfs -o size=1m tmpfs /mnt/$n; done; mount -t tmpfs tmpfs /mnt/there
# look: cat /etc/fstab
# look: tail -n +1 /etc/fstab.*
# look: grep /mnt/ /proc/mounts | cut -d' ' -f1-3; ls /mnt
# tree: none
new: {mount.mounted: [{name: /mnt/new}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}]}
no-folder: {mount.mounted: [{name: /mnt/nowhere}, {device: tmpfs}, {fstype: tmpfs}]}
there: {mount.mounted: [{name: /mnt/there}, {device: tmpfs}, {fstype: tmpfs}]}
not-kept: {mount.mounted: [{name: /mnt/other}, {device: tmpfs}, {fstype: tmpfs}, {persist: false}, {opts: 'size=2m,noexec'}]}
numbers: {mount.mounted: [{name: /mnt/numbers}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}, {opts: [size=1m, nodev]}, {dump: 1}, {pass_num: 2}]}
written: {mount.mounted: [{name: /mnt/written}, {device: tmpfs}, {fstype: tmpfs}, {mount: false}, {mkmnt: true}]}
config: {mount.mounted: [{name: /mnt/configured}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}, {config: /etc/fstab.own}]}
hidden: {mount.mounted: [{name: /mnt/hidden}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}, {opts: 'size=1m,x-own=1'}, {hidden_opts: [x-own]}, {extra_mount_invisible_options: [x-own]}, {extra_mount_invisible_keys: [x-more]}, {extra_mount_ignore_fs_keys: {tmpfs: [x-own]}}, {extra_mount_translate_options: {x: y}}]}
matched: {mount.mounted: [{name: /mnt/matched}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}, {match_on: name}, {device_name_regex: [tmp]}]}
bound: {mount.mounted: [{name: /mnt/bound}, {device: /mnt/source}, {fstype: none}, {opts: bind}, {bind_mount_copy_active_opts: false}]}
nothing: {mount.mounted: [{name: /mnt/nothing}, {device: /dev/no-such-disk}, {fstype: ext4}, {mkmnt: true}]}
user: {mount.mounted: [{name: /mnt/user}, {device: tmpfs}, {fstype: tmpfs}, {user: root}]}
gone: {mount.unmounted: [{name: /mnt/gone}]}
gone-kept: {mount.unmounted: [{name: /mnt/gone2}, {device: tmpfs}, {persist: true}]}
gone-config: {mount.unmounted: [{name: /mnt/gone3}, {config: /etc/fstab.own}, {persist: true}, {user: root}]}
gone-never: {mount.unmounted: [{name: /mnt/never}]}
swap-none: {mount.swap: [{name: /dev/no-such-swap}, {persist: false}, {config: /etc/fstab.own}]}
