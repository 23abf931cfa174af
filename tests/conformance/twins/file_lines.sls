# before: for f in a1 a2 a3 a4 a5 a6 a7 a8 a9 p1 p2 p3 p4 p5 p6 p7 p8; do printf 'one\ntwo  words\n' > $f; done; printf 'no end' > a10
append: {file.append: [{name: '@ROOT@/a1'}, {text: [three, one]}]}
append-there: {file.append: [{name: '@ROOT@/a2'}, {text: one}]}
append-block: {file.append: [{name: '@ROOT@/a3'}, {text: "x\ny\n"}]}
append-new: {file.append: [{name: '@ROOT@/append-new'}, {text: a}]}
append-no-parent: {file.append: [{name: '@ROOT@/none/x'}, {text: a}]}
append-makedirs: {file.append: [{name: '@ROOT@/am/x'}, {text: a}, {makedirs: true}]}
append-source: {file.append: [{name: '@ROOT@/a4'}, {source: salt://files/plain.txt}]}
append-template: {file.append: [{name: '@ROOT@/a5'}, {source: salt://files/template.jinja}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody}}]}
append-sources: {file.append: [{name: '@ROOT@/a6'}, {sources: [salt://files/plain.txt, salt://files/script.sh]}]}
append-hash: {file.append: [{name: '@ROOT@/a7'}, {source: salt://files/plain.txt}, {source_hash: sha256=c2}]}
append-hashes: {file.append: [{name: '@ROOT@/append-hashes'}, {sources: [salt://files/plain.txt]}, {source_hashes: [sha256=c2]}]}
append-blank: {file.append: [{name: '@ROOT@/a8'}, {text: two words}]}
append-blank-counts: {file.append: [{name: '@ROOT@/a9'}, {text: two words}, {ignore_whitespace: false}]}
append-hidden: {file.append: [{name: '@ROOT@/append-hidden'}, {text: secret}, {show_changes: false}]}
append-no-end: {file.append: [{name: '@ROOT@/a10'}, {text: next}]}
prepend: {file.prepend: [{name: '@ROOT@/p1'}, {text: [zero, half]}]}
prepend-there: {file.prepend: [{name: '@ROOT@/p2'}, {text: one}]}
prepend-header: {file.prepend: [{name: '@ROOT@/p3'}, {text: [one]}, {header: true}]}
prepend-header-elsewhere: {file.prepend: [{name: '@ROOT@/p4'}, {text: [two  words]}, {header: true}]}
prepend-new: {file.prepend: [{name: '@ROOT@/prepend-new'}, {text: a}]}
prepend-makedirs: {file.prepend: [{name: '@ROOT@/pm/x'}, {text: a}, {makedirs: true}]}
prepend-source: {file.prepend: [{name: '@ROOT@/p5'}, {source: salt://files/plain.txt}]}
prepend-template: {file.prepend: [{name: '@ROOT@/p6'}, {source: salt://files/template.jinja}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody}}]}
prepend-sources: {file.prepend: [{name: '@ROOT@/p7'}, {sources: [salt://files/plain.txt, salt://files/script.sh]}]}
prepend-hash: {file.prepend: [{name: '@ROOT@/p8'}, {source: salt://files/plain.txt}, {source_hash: sha256=c2}]}
prepend-hashes: {file.prepend: [{name: '@ROOT@/prepend-hashes'}, {sources: [salt://files/plain.txt]}, {source_hashes: [sha256=c2]}]}
prepend-hidden: {file.prepend: [{name: '@ROOT@/prepend-hidden'}, {text: secret}, {show_changes: false}]}
