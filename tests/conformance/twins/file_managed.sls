# before: for f in old replaced kept backed created-not attrs ordering blank comments checked-no to-link enc-old; do printf 'old\n# note\n' > $f; done; printf 'b\na\n' > ordering; printf 'a   b\n' > blank; chmod 600 kept; mkdir folder folder-forced; ln -s to-link link; ln -s to-link2 link2; touch to-link2; printf '#c\nx\n' > comments; printf "abc\n" > local; echo kept > no-lines; ln -s to-nothing dangling
contents: {file.managed: [{name: '@ROOT@/contents'}, {contents: a text}]}
contents-lines: {file.managed: [{name: '@ROOT@/contents-lines'}, {contents: [one, two]}]}
contents-number: {file.managed: [{name: '@ROOT@/contents-number'}, {contents: 5}]}
contents-block: {file.managed: [{name: '@ROOT@/contents-block'}, {contents: "a\nb\n"}]}
contents-newline: {file.managed: [{name: '@ROOT@/bare'}, {contents: bare}, {contents_newline: false}]}
contents-empty: {file.managed: [{name: '@ROOT@/contents-empty'}, {contents: ''}]}
allow-empty: {file.managed: [{name: '@ROOT@/allow-empty'}, {contents_pillar: no-such}, {allow_empty: false}]}
contents-two: {file.managed: [{name: '@ROOT@/two'}, {contents: a}, {contents_pillar: root_text}]}
contents-source: {file.managed: [{name: '@ROOT@/cs'}, {contents: a}, {source: salt://files/plain.txt}]}
pillar: {file.managed: [{name: '@ROOT@/pillar'}, {contents_pillar: root_text}]}
pillar-deep: {file.managed: [{name: '@ROOT@/pillar-deep'}, {contents_pillar: 'deep|text'}, {contents_delimiter: '|'}]}
pillar-several: {file.managed: [{name: '@ROOT@/pillar-several'}, {contents_pillar: [root_text, 'deep:text']}]}
grains: {file.managed: [{name: '@ROOT@/grains'}, {contents_grains: os}]}
source: {file.managed: [{name: '@ROOT@/source'}, {source: 'salt://files/plain.txt'}]}
source-list: {file.managed: [{name: '@ROOT@/source-list'}, {source: ['salt://files/none', 'salt://files/plain.txt']}]}
source-missing: {file.managed: [{name: '@ROOT@/source-missing'}, {source: 'salt://files/none'}]}
source-none-of: {file.managed: [{name: '@ROOT@/source-none-of'}, {source: ['salt://files/none', 'salt://files/neither']}]}
source-local: {file.managed: [{name: '@ROOT@/source-local'}, {source: '@ROOT@/local'}]}
source-file-url: {file.managed: [{name: '@ROOT@/source-file-url'}, {source: 'file://@ROOT@/local'}]}
source-hash: {file.managed: [{name: '@ROOT@/source-hash'}, {source: '@ROOT@/local'}, {source_hash: sha256=edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb}]}
source-hash-wrong: {file.managed: [{name: '@ROOT@/source-hash-wrong'}, {source: '@ROOT@/local'}, {source_hash: sha256=0deaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb}]}
source-hash-nonsense: {file.managed: [{name: '@ROOT@/source-hash-nonsense'}, {source: '@ROOT@/local'}, {source_hash: nonsense}]}
source-hash-file: {file.managed: [{name: '@ROOT@/source-hash-file'}, {source: '@ROOT@/local'}, {source_hash: 'salt://files/sums'}, {source_hash_name: other-name}]}
skip-verify: {file.managed: [{name: '@ROOT@/skip-verify'}, {source: '@ROOT@/local'}, {skip_verify: true}]}
owner: {file.managed: [{name: '@ROOT@/owner'}, {contents: x}, {user: daemon}, {group: games}]}
owner-ids: {file.managed: [{name: '@ROOT@/owner-ids'}, {contents: x}, {user: 1}, {group: 2}]}
owner-none: {file.managed: [{name: '@ROOT@/owner-none'}, {contents: x}, {user: no-such-user}]}
group-none: {file.managed: [{name: '@ROOT@/group-none'}, {contents: x}, {group: no-such-group}]}
mode: {file.managed: [{name: '@ROOT@/mode'}, {contents: x}, {mode: '0640'}]}
mode-number: {file.managed: [{name: '@ROOT@/mode-number'}, {contents: x}, {mode: 600}]}
mode-octal: {file.managed: [{name: '@ROOT@/mode-octal'}, {contents: x}, {mode: 0755}]}
mode-keep: {file.managed: [{name: '@ROOT@/mode-keep'}, {source: 'salt://files/script.sh'}, {mode: keep}]}
mode-old: {file.managed: [{name: '@ROOT@/kept'}, {mode: '0755'}, {replace: false}]}
template: {file.managed: [{name: '@ROOT@/template'}, {source: 'salt://files/template.jinja'}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody, more: 1}}]}
template-contents: {file.managed: [{name: '@ROOT@/template-contents'}, {contents: '{{ "{{" }} 1 + 1 {{ "}}" }}'}, {template: jinja}]}
template-broken: {file.managed: [{name: '@ROOT@/template-broken'}, {source: 'salt://files/broken.jinja'}, {template: jinja}]}
template-unknown: {file.managed: [{name: '@ROOT@/template-unknown'}, {source: 'salt://files/template.jinja'}, {template: no-such}]}
context-wrong: {file.managed: [{name: '@ROOT@/context-wrong'}, {source: 'salt://files/template.jinja'}, {template: jinja}, {context: text}]}
defaults: {file.managed: [{name: '@ROOT@/defaults'}, {source: 'salt://files/template.jinja'}, {template: jinja}, {defaults: {who: default}}]}
makedirs: {file.managed: [{name: '@ROOT@/a/b/c'}, {contents: deep}, {makedirs: true}]}
dir-mode: {file.managed: [{name: '@ROOT@/d/e/f'}, {contents: deep}, {makedirs: true}, {dir_mode: '0700'}]}
no-parent: {file.managed: [{name: '@ROOT@/no/parent'}, {contents: x}]}
changed: {file.managed: [{name: '@ROOT@/old'}, {contents: new}]}
replace-no: {file.managed: [{name: '@ROOT@/replaced'}, {replace: false}, {contents: other}]}
backup: {file.managed: [{name: '@ROOT@/backed'}, {contents: new}, {backup: minion}]}
show-changes: {file.managed: [{name: '@ROOT@/hidden'}, {contents: secret}, {show_changes: false}]}
new-file-diff: {file.managed: [{name: '@ROOT@/new-file-diff'}, {contents: new}, {new_file_diff: true}]}
create-no: {file.managed: [{name: '@ROOT@/nocreate'}, {create: false}, {contents: x}]}
create-no-there: {file.managed: [{name: '@ROOT@/created-not'}, {create: false}, {contents: x}]}
empty: {file.managed: [{name: '@ROOT@/empty'}]}
empty-source: {file.managed: [{name: '@ROOT@/empty-source'}, {source: 'salt://files/empty'}]}
folder: {file.managed: [{name: '@ROOT@/folder'}, {contents: x}]}
relative: {file.managed: [{name: relative}, {contents: x}]}
follow: {file.managed: [{name: '@ROOT@/link'}, {contents: through}]}
follow-no: {file.managed: [{name: '@ROOT@/link2'}, {contents: instead}, {follow_symlinks: false}]}
check-cmd: {file.managed: [{name: '@ROOT@/checked'}, {contents: x}, {check_cmd: grep -q x}]}
check-cmd-fails: {file.managed: [{name: '@ROOT@/checked-no'}, {contents: x}, {check_cmd: grep -q y}]}
tmp: {file.managed: [{name: '@ROOT@/tmp'}, {contents: x}, {check_cmd: "sh -c 'case $0 in *.conf) true ;; *) false ;; esac'"}, {tmp_ext: .conf}, {tmp_dir: '@ROOT@'}]}
encoding: {file.managed: [{name: '@ROOT@/encoding'}, {contents: plain}, {encoding: utf-8}]}
encoding-ascii: {file.managed: [{name: '@ROOT@/encoding-ascii'}, {contents: 'é'}, {encoding: ascii}, {encoding_errors: ignore}]}
ignore-ordering: {file.managed: [{name: '@ROOT@/ordering'}, {contents: [a, b]}, {ignore_ordering: true}]}
ignore-whitespace: {file.managed: [{name: '@ROOT@/blank'}, {contents: a b}, {ignore_whitespace: true}]}
ignore-comments: {file.managed: [{name: '@ROOT@/comments'}, {contents: x}, {ignore_comment_characters: '#'}]}
unknown: {file.managed: [{name: '@ROOT@/unknown'}, {contents: x}, {no_such_argument: 1}]}
twice: {file.managed: [{names: ['@ROOT@/t1', '@ROOT@/t2': [{contents: other}]]}, {contents: both}]}
contents-no-lines: {file.managed: [{name: '@ROOT@/no-lines'}, {contents: []}]}
contents-no-pillar-lines: {file.managed: [{name: '@ROOT@/no-lines'}, {contents_pillar: no_lines}]}
dangling: {file.managed: [{name: '@ROOT@/dangling'}, {contents: x}]}
local-missing: {file.managed: [{name: '@ROOT@/local-missing'}, {source: '@ROOT@/nowhere'}]}
trailing: {file.managed: [{name: '@ROOT@/trailing/'}, {contents: x}]}
defaults-wrong: {file.managed: [{name: '@ROOT@/defaults-wrong'}, {source: 'salt://files/template.jinja'}, {template: jinja}, {defaults: [a]}]}
