# before: for f in b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11; do printf 'x\n# start\nold\n# end\ny\n' > $f; done; for f in n1 n2 n3 n4 n5 n6 n7; do printf 'one\ntwo\n' > $f; done; printf 'a\n# start\nb\n' > open
content: {file.blockreplace: [{name: '@ROOT@/b1'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: new}]}
same: {file.blockreplace: [{name: '@ROOT@/b2'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: old}]}
lines: {file.blockreplace: [{name: '@ROOT@/b3'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: "a\nb\n"}]}
source: {file.blockreplace: [{name: '@ROOT@/b4'}, {marker_start: '# start'}, {marker_end: '# end'}, {source: salt://files/plain.txt}]}
template: {file.blockreplace: [{name: '@ROOT@/b5'}, {marker_start: '# start'}, {marker_end: '# end'}, {source: salt://files/template.jinja}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody}}]}
sources: {file.blockreplace: [{name: '@ROOT@/b6'}, {marker_start: '# start'}, {marker_end: '# end'}, {sources: [salt://files/plain.txt, salt://files/script.sh]}]}
hash: {file.blockreplace: [{name: '@ROOT@/b7'}, {marker_start: '# start'}, {marker_end: '# end'}, {source: salt://files/plain.txt}, {source_hash: sha256=c2}]}
hashes: {file.blockreplace: [{name: '@ROOT@/b8'}, {marker_start: '# start'}, {marker_end: '# end'}, {sources: [salt://files/plain.txt]}, {source_hashes: [sha256=c2]}]}
backup: {file.blockreplace: [{name: '@ROOT@/b9'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: new}, {backup: .old}]}
hidden: {file.blockreplace: [{name: '@ROOT@/b10'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: new}, {show_changes: false}]}
newline-no: {file.blockreplace: [{name: '@ROOT@/b11'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: new}, {append_newline: false}]}
append: {file.blockreplace: [{name: '@ROOT@/n1'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}, {append_if_not_found: true}]}
prepend: {file.blockreplace: [{name: '@ROOT@/n2'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}, {prepend_if_not_found: true}]}
before: {file.blockreplace: [{name: '@ROOT@/n3'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}, {insert_before_match: two}]}
after: {file.blockreplace: [{name: '@ROOT@/n4'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}, {insert_after_match: one}]}
nowhere: {file.blockreplace: [{name: '@ROOT@/n5'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}]}
after-none: {file.blockreplace: [{name: '@ROOT@/n6'}, {marker_start: '# s'}, {marker_end: '# e'}, {content: in}, {insert_after_match: nothing}]}
empty: {file.blockreplace: [{name: '@ROOT@/n7'}, {marker_start: '# s'}, {marker_end: '# e'}, {append_if_not_found: true}]}
no-end: {file.blockreplace: [{name: '@ROOT@/open'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: in}]}
no-file: {file.blockreplace: [{name: '@ROOT@/none'}, {marker_start: '# start'}, {marker_end: '# end'}, {content: in}]}
