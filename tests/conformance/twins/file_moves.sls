# before: for f in a b c d there there2 r1 r2 r3 r4 r5; do printf $f > $f; done; chmod 640 a; chown daemon a; mkdir -p dir/in into into2; printf x > dir/in/f; printf y > to2; printf y > to3; mkdir target
copy: {file.copy: [{name: '@ROOT@/copy'}, {source: '@ROOT@/a'}]}
copy-there: {file.copy: [{name: '@ROOT@/there'}, {source: '@ROOT@/a'}]}
copy-force: {file.copy: [{name: '@ROOT@/there2'}, {source: '@ROOT@/a'}, {force: true}]}
copy-makedirs: {file.copy: [{name: '@ROOT@/m/n/copy'}, {source: '@ROOT@/b'}, {makedirs: true}, {dir_mode: '0750'}]}
copy-no-parent: {file.copy: [{name: '@ROOT@/no/copy'}, {source: '@ROOT@/b'}]}
copy-preserve: {file.copy: [{name: '@ROOT@/preserved'}, {source: '@ROOT@/a'}, {preserve: true}]}
copy-owner: {file.copy: [{name: '@ROOT@/owned'}, {source: '@ROOT@/b'}, {user: daemon}, {group: games}, {mode: '0600'}]}
copy-subdir: {file.copy: [{name: '@ROOT@/into'}, {source: '@ROOT@/c'}, {subdir: true}]}
copy-onto-folder: {file.copy: [{name: '@ROOT@/into2'}, {source: '@ROOT@/c'}]}
copy-folder: {file.copy: [{name: '@ROOT@/dir2'}, {source: '@ROOT@/dir'}]}
copy-none: {file.copy: [{name: '@ROOT@/cn'}, {source: '@ROOT@/nothing'}]}
copy-relative: {file.copy: [{name: '@ROOT@/cr'}, {source: nothing}]}
rename: {file.rename: [{name: '@ROOT@/renamed'}, {source: '@ROOT@/r1'}]}
rename-none: {file.rename: [{name: '@ROOT@/x2'}, {source: '@ROOT@/x'}]}
rename-there: {file.rename: [{name: '@ROOT@/to2'}, {source: '@ROOT@/r2'}]}
rename-force: {file.rename: [{name: '@ROOT@/to3'}, {source: '@ROOT@/r3'}, {force: true}]}
rename-makedirs: {file.rename: [{name: '@ROOT@/mk/dirs'}, {source: '@ROOT@/r4'}, {makedirs: true}]}
rename-no-parent: {file.rename: [{name: '@ROOT@/none/dirs'}, {source: '@ROOT@/r5'}]}
touch: {file.touch: [{name: '@ROOT@/touched'}]}
touch-times: {file.touch: [{name: '@ROOT@/d'}, {atime: 1000000000}, {mtime: 1000000001}]}
touch-makedirs: {file.touch: [{name: '@ROOT@/t/u'}, {makedirs: true}]}
touch-no-parent: {file.touch: [{name: '@ROOT@/tn/u'}]}
copy-keep: {file.copy: [{name: '@ROOT@/copied-keep'}, {source: '@ROOT@/a'}, {mode: keep}]}
