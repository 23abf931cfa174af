# before: for f in r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15; do printf 'a=1\nB=2\na=3\n' > $f; done; for c in c1 c2 c3 c4; do printf 'a=1\n#b=2\n;d=4\n  c=3\n' > $c; done; for u in u1 u2 u3 u4; do printf 'a=1\n#b=2\n# e=5\n;d=4\n' > $u; done
replace: {file.replace: [{name: '@ROOT@/r1'}, {pattern: '^a=.*$'}, {repl: a=2}]}
none: {file.replace: [{name: '@ROOT@/r2'}, {pattern: nothing}, {repl: x}]}
count: {file.replace: [{name: '@ROOT@/r3'}, {pattern: '^a=.*$'}, {repl: a=2}, {count: 1}]}
flags: {file.replace: [{name: '@ROOT@/r4'}, {pattern: '^b=.*$'}, {repl: b=9}, {flags: [IGNORECASE, MULTILINE]}]}
flags-number: {file.replace: [{name: '@ROOT@/r5'}, {pattern: '^b=.*$'}, {repl: b=9}, {flags: 10}]}
bufsize: {file.replace: [{name: '@ROOT@/r6'}, {pattern: "a=1\nB"}, {repl: x}, {bufsize: file}]}
append: {file.replace: [{name: '@ROOT@/r7'}, {pattern: '^d=.*$'}, {repl: d=4}, {append_if_not_found: true}]}
prepend: {file.replace: [{name: '@ROOT@/r8'}, {pattern: '^d=.*$'}, {repl: d=4}, {prepend_if_not_found: true}]}
content: {file.replace: [{name: '@ROOT@/r9'}, {pattern: '^d=.*$'}, {repl: d=4}, {append_if_not_found: true}, {not_found_content: d=5}]}
backup: {file.replace: [{name: '@ROOT@/r10'}, {pattern: B}, {repl: C}, {backup: .old}]}
backup-no: {file.replace: [{name: '@ROOT@/r11'}, {pattern: B}, {repl: C}, {backup: false}]}
hidden: {file.replace: [{name: '@ROOT@/r12'}, {pattern: B}, {repl: C}, {show_changes: false}]}
missing: {file.replace: [{name: '@ROOT@/none'}, {pattern: B}, {repl: C}]}
missing-ignored: {file.replace: [{name: '@ROOT@/none'}, {pattern: B}, {repl: C}, {ignore_if_missing: true}]}
groups: {file.replace: [{name: '@ROOT@/r13'}, {pattern: '(a)=(\d)'}, {repl: '\2=\1'}]}
literal: {file.replace: [{name: '@ROOT@/r14'}, {pattern: '(a)=(\d)'}, {repl: '\2=\1'}, {backslash_literal: true}]}
encoding: {file.replace: [{name: '@ROOT@/r15'}, {pattern: B}, {repl: 'é'}, {encoding: utf-8}]}
pattern-broken: {file.replace: [{name: '@ROOT@/r2'}, {pattern: '(a'}, {repl: x}]}
comment: {file.comment: [{name: '@ROOT@/c1'}, {regex: '^a='}]}
comment-char: {file.comment: [{name: '@ROOT@/c2'}, {regex: '^a='}, {char: ';'}]}
comment-backup: {file.comment: [{name: '@ROOT@/c3'}, {regex: '^a='}, {backup: .old}]}
comment-there: {file.comment: [{name: '@ROOT@/c4'}, {regex: '^b='}]}
comment-none: {file.comment: [{name: '@ROOT@/c4'}, {regex: '^z='}]}
comment-none-ignored: {file.comment: [{name: '@ROOT@/c4'}, {regex: '^z='}, {ignore_missing: true}]}
comment-no-file: {file.comment: [{name: '@ROOT@/none'}, {regex: '^z='}]}
uncomment: {file.uncomment: [{name: '@ROOT@/u1'}, {regex: 'b='}]}
uncomment-char: {file.uncomment: [{name: '@ROOT@/u2'}, {regex: 'd='}, {char: ';'}]}
uncomment-backup: {file.uncomment: [{name: '@ROOT@/u3'}, {regex: 'b='}, {backup: .old}]}
uncomment-there: {file.uncomment: [{name: '@ROOT@/u4'}, {regex: 'a='}]}
uncomment-blank: {file.uncomment: [{name: '@ROOT@/u4'}, {regex: 'e='}]}
uncomment-none: {file.uncomment: [{name: '@ROOT@/u4'}, {regex: 'z='}]}
uncomment-no-file: {file.uncomment: [{name: '@ROOT@/none'}, {regex: 'z='}]}
