# before: printf 'top = 1\n; a remark\n[old]\nkept = 1\n# of changed\nchanged = 1\ngone = 1\n\n[second]\na=1\n b : 2\n[empty]\n' | tee all.ini strict.ini less.ini sections.ini fewer.ini >colon.ini; printf '[s]\nname = gr\374n\n' | tee latin.ini latin2.ini latin3.ini >latin4.ini; printf '[s]\na:1\nb: 2\n' | tee colons.ini colons2.ini >colons3.ini
there: {ini.options_present: [{name: '@ROOT@/all.ini'}, {sections: {old: {changed: 2, new: x y}, third: {a: 1, b: 'true'}}}]}
same: {ini.options_present: [{name: '@ROOT@/all.ini'}, {sections: {old: {kept: 1}}}]}
top: {ini.options_present: [{name: '@ROOT@/all.ini'}, {sections: {top: 2, fresh: 3}}]}
strict: {ini.options_present: [{name: '@ROOT@/strict.ini'}, {strict: true}, {sections: {old: {kept: 1, changed: 3}, empty: {a: 1}}}]}
separator: {ini.options_present: [{name: '@ROOT@/colons.ini'}, {separator: ':'}, {sections: {s: {a: 1, b: 3, c: 4}}}]}
no-spaces: {ini.options_present: [{name: '@ROOT@/colon.ini'}, {no_spaces: true}, {sections: {second: {a: 2, c: 3}}}]}
encoding: {ini.options_present: [{name: '@ROOT@/latin.ini'}, {encoding: latin-1}, {sections: {s: {more: 1}}}]}
new-file: {ini.options_present: [{name: '@ROOT@/new.ini'}, {sections: {s: {a: 1}}}]}
nothing: {ini.options_present: [{name: '@ROOT@/all.ini'}]}
less: {ini.options_absent: [{name: '@ROOT@/less.ini'}, {sections: {old: [gone, never], second: [a]}}]}
less-separator: {ini.options_absent: [{name: '@ROOT@/colons2.ini'}, {separator: ':'}, {sections: {s: [b]}}]}
less-encoding: {ini.options_absent: [{name: '@ROOT@/latin2.ini'}, {encoding: latin-1}, {sections: {s: [none]}}]}
less-no-section: {ini.options_absent: [{name: '@ROOT@/less.ini'}, {sections: {nowhere: [a]}}]}
fewer: {ini.sections_absent: [{name: '@ROOT@/fewer.ini'}, {sections: [old, nowhere]}]}
fewer-encoding: {ini.sections_absent: [{name: '@ROOT@/latin4.ini'}, {encoding: latin-1}, {sections: [nowhere]}]}
fewer-none: {ini.sections_absent: [{name: '@ROOT@/fewer.ini'}, {separator: '='}, {sections: [never]}]}
sections: {ini.sections_present: [{name: '@ROOT@/sections.ini'}, {separator: '='}, {encoding: utf-8}, {sections: {old: {changed: 5}, third: {a: 1}}}]}
