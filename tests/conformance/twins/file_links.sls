# before: touch f taken taken2 taken3 there there2 hard-other; ln -s f right; ln -s other wrong; ln -s other wrong2; ln f hard-right; mkdir folder; touch folder/x; ln -s f owned; mkdir -p sub; chown daemon sub; mkdir empty-folder
new: {file.symlink: [{name: '@ROOT@/new'}, {target: '@ROOT@/f'}]}
right: {file.symlink: [{name: '@ROOT@/right'}, {target: f}]}
wrong: {file.symlink: [{name: '@ROOT@/wrong'}, {target: '@ROOT@/f'}]}
atomic: {file.symlink: [{name: '@ROOT@/wrong2'}, {target: '@ROOT@/f'}, {atomic: true}]}
taken: {file.symlink: [{name: '@ROOT@/taken'}, {target: '@ROOT@/f'}]}
force: {file.symlink: [{name: '@ROOT@/taken2'}, {target: '@ROOT@/f'}, {force: true}]}
backupname: {file.symlink: [{name: '@ROOT@/taken3'}, {target: '@ROOT@/f'}, {backupname: taken3.old}]}
makedirs: {file.symlink: [{name: '@ROOT@/a/b'}, {target: '@ROOT@/f'}, {makedirs: true}]}
no-parent: {file.symlink: [{name: '@ROOT@/no/b'}, {target: '@ROOT@/f'}]}
owner: {file.symlink: [{name: '@ROOT@/owned'}, {target: f}, {user: daemon}, {group: games}]}
mode: {file.symlink: [{name: '@ROOT@/m/o'}, {target: '@ROOT@/f'}, {makedirs: true}, {mode: '0700'}]}
inherit: {file.symlink: [{name: '@ROOT@/sub/l'}, {target: '@ROOT@/f'}, {inherit_user_and_group: true}]}
no-unlink: {file.symlink: [{name: '@ROOT@/no-unlink'}, {target: '@ROOT@/f'}, {disallow_copy_and_unlink: true}]}
follow-no: {file.symlink: [{name: '@ROOT@/follow-no'}, {target: '@ROOT@/f'}, {follow_symlinks: false}]}
dangling: {file.symlink: [{name: '@ROOT@/dangling'}, {target: '@ROOT@/nothing'}]}
relative: {file.symlink: [{name: relative}, {target: '@ROOT@/f'}]}
hard: {file.hardlink: [{name: '@ROOT@/hard'}, {target: '@ROOT@/f'}]}
hard-right: {file.hardlink: [{name: '@ROOT@/hard-right'}, {target: '@ROOT@/f'}]}
hard-taken: {file.hardlink: [{name: '@ROOT@/there'}, {target: '@ROOT@/f'}]}
hard-force: {file.hardlink: [{name: '@ROOT@/there2'}, {target: '@ROOT@/f'}, {force: true}]}
hard-makedirs: {file.hardlink: [{name: '@ROOT@/h/i'}, {target: '@ROOT@/f'}, {makedirs: true}, {dir_mode: '0700'}]}
hard-no-parent: {file.hardlink: [{name: '@ROOT@/none/i'}, {target: '@ROOT@/f'}]}
hard-owner: {file.hardlink: [{name: '@ROOT@/hard-owner'}, {target: '@ROOT@/hard-other'}, {user: daemon}, {group: games}]}
hard-nothing: {file.hardlink: [{name: '@ROOT@/hard-nothing'}, {target: '@ROOT@/nothing'}]}
hard-relative: {file.hardlink: [{name: relative}, {target: '@ROOT@/f'}]}
sym-folder: {file.symlink: [{name: '@ROOT@/empty-folder'}, {target: f}, {force: true}]}
hard-from-folder: {file.hardlink: [{name: '@ROOT@/hard-f'}, {target: '@ROOT@/sub'}]}
