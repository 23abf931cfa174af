# before: mk() { mkdir -p $1/in/deeper; touch $1/in/f $1/x $1/y.keep $1/in/deeper/g; }; for d in mode owner clean clean-pat clean-glob clean-require depth silent list children all; do mk $d; done; touch file file2 file3; mkdir -p linked; ln -s linked link; ln -s linked link2; ln -s none dangling; chmod 700 mode; mkdir -p excluded/a; touch excluded/a/x.pyc excluded/a/y.py
new: {file.directory: [{name: '@ROOT@/new'}, {mode: '0750'}]}
dir-mode: {file.directory: [{name: '@ROOT@/dir-mode'}, {dir_mode: '0711'}]}
makedirs: {file.directory: [{name: '@ROOT@/a/b/c'}, {makedirs: true}, {dir_mode: '0750'}]}
no-parent: {file.directory: [{name: '@ROOT@/no/parent'}]}
mode: {file.directory: [{name: '@ROOT@/mode'}, {mode: '0755'}]}
owner: {file.directory: [{name: '@ROOT@/owner'}, {user: daemon}, {group: games}, {recurse: [user, group]}]}
owner-none: {file.directory: [{name: '@ROOT@/owner-none'}, {user: no-such-user}]}
recurse-mode: {file.directory: [{name: '@ROOT@/all'}, {file_mode: '0600'}, {dir_mode: '0711'}, {recurse: [mode]}]}
recurse-ignore-files: {file.directory: [{name: '@ROOT@/list'}, {dir_mode: '0711'}, {user: daemon}, {recurse: [user, mode, ignore_files]}]}
recurse-silent: {file.directory: [{name: '@ROOT@/silent'}, {dir_mode: '0711'}, {file_mode: '0600'}, {recurse: [mode, silent]}]}
recurse-ignore-dirs: {file.directory: [{name: '@ROOT@/ignore-dirs'}, {makedirs: true}, {user: daemon}, {recurse: [user, ignore_dirs]}]}
recurse-wrong: {file.directory: [{name: '@ROOT@/mode'}, {recurse: [nonsense]}]}
max-depth: {file.directory: [{name: '@ROOT@/depth'}, {user: daemon}, {recurse: [user]}, {max_depth: 1}]}
children-only: {file.directory: [{name: '@ROOT@/children'}, {user: daemon}, {recurse: [user]}, {children_only: true}]}
clean: {file.directory: [{name: '@ROOT@/clean'}, {clean: true}]}
clean-exclude: {file.directory: [{name: '@ROOT@/clean-glob'}, {clean: true}, {exclude_pat: '*.keep'}]}
clean-exclude-pattern: {file.directory: [{name: '@ROOT@/clean-pat'}, {clean: true}, {exclude_pat: 'E@^x$'}]}
in-clean: {file.managed: [{name: '@ROOT@/clean-require/kept'}, {contents: x}]}
clean-require: {file.directory: [{name: '@ROOT@/clean-require'}, {clean: true}, {require: [{file: in-clean}]}]}
a-file: {file.directory: [{name: '@ROOT@/file'}]}
force: {file.directory: [{name: '@ROOT@/file2'}, {force: true}]}
backupname: {file.directory: [{name: '@ROOT@/file3'}, {backupname: '@ROOT@/file3.old'}]}
allow-symlink: {file.directory: [{name: '@ROOT@/link'}, {allow_symlink: true}]}
allow-symlink-no: {file.directory: [{name: '@ROOT@/link2'}, {allow_symlink: false}]}
follow-symlinks: {file.directory: [{name: '@ROOT@/link'}, {follow_symlinks: true}, {mode: '0750'}]}
dangling: {file.directory: [{name: '@ROOT@/dangling'}]}
relative: {file.directory: [{name: relative}]}
exclude-py: {file.directory: [{name: '@ROOT@/excluded'}, {clean: true}, {exclude_pat: '*.py'}]}
