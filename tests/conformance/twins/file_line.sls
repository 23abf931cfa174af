# before: for f in i1 i2 i3 i4 i5 i6 e1 e2 e3 e4 e5 r1 r2 d1 d2 s1 b1 q1 n1 o1; do printf 'one\n  two\nthree\n' > $f; done
insert-after: {file.line: [{name: '@ROOT@/i1'}, {content: two and a half}, {mode: insert}, {after: three}]}
insert-before: {file.line: [{name: '@ROOT@/i2'}, {content: one and a half}, {mode: insert}, {before: three}]}
insert-start: {file.line: [{name: '@ROOT@/i3'}, {content: zero}, {mode: insert}, {location: start}]}
insert-end: {file.line: [{name: '@ROOT@/i4'}, {content: four}, {mode: insert}, {location: end}]}
insert-nowhere: {file.line: [{name: '@ROOT@/i5'}, {content: four}, {mode: insert}]}
insert-no-anchor: {file.line: [{name: '@ROOT@/i6'}, {content: four}, {mode: insert}, {after: nothing}]}
ensure-after: {file.line: [{name: '@ROOT@/e1'}, {content: between}, {mode: ensure}, {after: two}]}
ensure-before: {file.line: [{name: '@ROOT@/e2'}, {content: half}, {mode: ensure}, {before: one}]}
ensure-between: {file.line: [{name: '@ROOT@/e3'}, {content: middle}, {mode: ensure}, {after: one}, {before: three}]}
ensure-there: {file.line: [{name: '@ROOT@/e4'}, {content: one}, {mode: ensure}, {before: two}]}
ensure-no-anchor: {file.line: [{name: '@ROOT@/e5'}, {content: x}, {mode: ensure}, {after: nothing}]}
replace: {file.line: [{name: '@ROOT@/r1'}, {match: two}, {content: TWO}, {mode: replace}]}
replace-none: {file.line: [{name: '@ROOT@/r2'}, {match: nothing}, {content: TWO}, {mode: replace}]}
delete: {file.line: [{name: '@ROOT@/d1'}, {match: one}, {mode: delete}]}
delete-content: {file.line: [{name: '@ROOT@/d2'}, {content: three}, {mode: delete}]}
hidden: {file.line: [{name: '@ROOT@/s1'}, {match: one}, {mode: delete}, {show_changes: false}]}
quiet: {file.line: [{name: '@ROOT@/none'}, {match: one}, {mode: delete}, {quiet: true}]}
no-file: {file.line: [{name: '@ROOT@/none'}, {match: one}, {mode: delete}]}
indent-no: {file.line: [{name: '@ROOT@/n1'}, {match: two}, {content: TWO}, {mode: replace}, {indent: false}]}
create: {file.line: [{name: '@ROOT@/created'}, {content: a}, {mode: insert}, {location: end}, {create: true}, {user: daemon}, {group: games}, {file_mode: '0640'}]}
mode-wrong: {file.line: [{name: '@ROOT@/o1'}, {content: a}, {mode: nonsense}]}
mode-none: {file.line: [{name: '@ROOT@/o1'}, {content: a}]}
