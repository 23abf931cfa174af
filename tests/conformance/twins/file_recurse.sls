# before: for d in clean clean-pat old backed linked; do mkdir -p $d/sub/more; printf x > $d/extra; printf old > $d/a; printf k > $d/sub/keep; done; mkdir force; mkdir -p req; printf x > req/other; touch file
plain: {file.recurse: [{name: '@ROOT@/plain'}, {source: 'salt://files/tree'}]}
modes: {file.recurse: [{name: '@ROOT@/modes'}, {source: 'salt://files/tree'}, {file_mode: '0600'}, {dir_mode: '0750'}]}
modes-keep: {file.recurse: [{name: '@ROOT@/modes-keep'}, {source: 'salt://files/tree'}, {file_mode: keep}]}
owner: {file.recurse: [{name: '@ROOT@/owner'}, {source: 'salt://files/tree'}, {user: daemon}, {group: games}]}
clean: {file.recurse: [{name: '@ROOT@/clean'}, {source: 'salt://files/tree'}, {clean: true}]}
clean-exclude: {file.recurse: [{name: '@ROOT@/clean-pat'}, {source: 'salt://files/tree'}, {clean: true}, {exclude_pat: 'sub/*'}]}
in-req: {file.managed: [{name: '@ROOT@/req/kept'}, {contents: x}]}
clean-require: {file.recurse: [{name: '@ROOT@/req'}, {source: 'salt://files/tree'}, {clean: true}, {require: [{file: in-req}]}]}
old: {file.recurse: [{name: '@ROOT@/old'}, {source: 'salt://files/tree'}]}
replace-no: {file.recurse: [{name: '@ROOT@/linked'}, {source: 'salt://files/tree'}, {replace: false}]}
backup: {file.recurse: [{name: '@ROOT@/backed'}, {source: 'salt://files/tree'}, {backup: minion}]}
template: {file.recurse: [{name: '@ROOT@/template'}, {source: 'salt://files/templates'}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody, more: 1}}]}
include: {file.recurse: [{name: '@ROOT@/include'}, {source: 'salt://files/tree'}, {include_pat: 'sub/*'}]}
include-pattern: {file.recurse: [{name: '@ROOT@/include-pattern'}, {source: 'salt://files/tree'}, {include_pat: 'E@^a$'}]}
exclude: {file.recurse: [{name: '@ROOT@/exclude'}, {source: 'salt://files/tree'}, {exclude_pat: a}]}
maxdepth: {file.recurse: [{name: '@ROOT@/maxdepth'}, {source: 'salt://files/tree'}, {maxdepth: 0}]}
keep-source: {file.recurse: [{name: '@ROOT@/keep-source'}, {source: 'salt://files/tree'}, {keep_source: false}]}
symlinks: {file.recurse: [{name: '@ROOT@/symlinks'}, {source: 'salt://files/tree'}, {keep_symlinks: true}, {force_symlinks: true}, {sym_mode: '0777'}]}
empty: {file.recurse: [{name: '@ROOT@/empty'}, {source: 'salt://files/tree'}, {include_empty: true}]}
merge: {file.recurse: [{name: '@ROOT@/merge'}, {source: ['salt://files/tree', 'salt://files/templates']}, {merge: true}]}
first-of: {file.recurse: [{name: '@ROOT@/first-of'}, {source: ['salt://files/none', 'salt://files/tree']}]}
a-file: {file.recurse: [{name: '@ROOT@/file'}, {source: 'salt://files/tree'}]}
missing: {file.recurse: [{name: '@ROOT@/missing'}, {source: 'salt://files/none'}]}
relative: {file.recurse: [{name: relative}, {source: 'salt://files/tree'}]}
