# before: printf 'kept: 1\nlist: [a, b]\ndeep: {a: {b: 1}}\nd1: {a: 1}\nd2: {l: [x]}\nd3: {l: [x]}\nd4: {a: 1}\nd5: {l: [x]}\nd6: {l: [x]}\nd7: {a: 1}\nl1: [a]\nl2: [a]\nl3: [a]\nl4: [a]\ngone: 1\ngone2: 1\ntext: word\nempty: []\n' >../conf/grains
# look: sort ../conf/grains
exists: {grains.exists: [{name: kept}]}
exists-deep: {grains.exists: [{name: 'deep:a:b'}]}
exists-by-delimiter: {grains.exists: [{name: 'deep:a:b'}, {delimiter: ':'}]}
exists-not: {grains.exists: [{name: nothing}]}
new: {grains.present: [{name: new}, {value: 1}]}
new-text: {grains.present: [{name: fresh}, {value: a word}]}
same: {grains.present: [{name: kept}, {value: 1}]}
changed: {grains.present: [{name: text}, {value: other}]}
new-list: {grains.present: [{name: numbers}, {value: [1, 2]}]}
list-over: {grains.present: [{name: list}, {value: [c]}]}
deep-over: {grains.present: [{name: 'deep:a'}, {value: 4}]}
through-text: {grains.present: [{name: 'text:deeper'}, {value: 4}]}
through-forced: {grains.present: [{name: 'kept:deeper'}, {value: 4}, {force: true}]}
in-list: {grains.list_present: [{name: list}, {value: a}]}
no-list-yet: {grains.list_present: [{name: fresh-list}, {value: one}]}
no-list: {grains.list_present: [{name: gone2}, {value: z}]}
from-list: {grains.list_absent: [{name: list}, {value: b}]}
some-from-list: {grains.list_absent: [{name: list}, {value: [b, never]}]}
from-nothing: {grains.list_absent: [{name: nothing}, {value: x}]}
from-text: {grains.list_absent: [{name: gone2}, {value: x}]}
gone: {grains.absent: [{name: gone}]}
gone-destructive: {grains.absent: [{name: gone2}, {destructive: true}]}
gone-never: {grains.absent: [{name: never}]}
gone-list: {grains.absent: [{name: numbers}]}
gone-list-forced: {grains.absent: [{name: numbers}, {force: true}]}
append-there: {grains.append: [{name: list}, {value: a}]}
append-text: {grains.append: [{name: text}, {value: more}]}
append-convert: {grains.append: [{name: fresh}, {value: more}, {convert: true}]}
append-none: {grains.append: [{name: nothing}, {value: q}]}
to-list: {grains.list_present: [{name: l1}, {value: z}]}
some-to-list: {grains.list_present: [{name: l2}, {value: [a, y]}]}
append: {grains.append: [{name: l3}, {value: b}]}
list-forced: {grains.present: [{name: l4}, {value: [c, d]}, {force: true}]}
deep-new: {grains.present: [{name: 'd7:c:d'}, {value: 2}]}
deep-list: {grains.list_present: [{name: 'd2:l'}, {value: y}]}
set-by-delimiter: {grains.present: [{name: d1/e}, {delimiter: /}, {value: 3}]}
to-by-delimiter: {grains.list_present: [{name: 'd3:l'}, {delimiter: ':'}, {value: z}]}
gone-by-delimiter: {grains.absent: [{name: 'd4:a'}, {delimiter: ':'}, {destructive: true}]}
append-by-delimiter: {grains.append: [{name: 'd5:l'}, {delimiter: ':'}, {value: q}]}
from-by-delimiter: {grains.list_absent: [{name: 'd6:l'}, {delimiter: ':'}, {value: x}]}
