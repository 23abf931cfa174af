# before: for f in k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13; do printf 'a=1\n#b=2\nC=Three\na=4\n' > $f; done; printf 'a: 1\n' > sep
key: {file.keyvalue: [{name: '@ROOT@/k1'}, {key: a}, {value: 9}]}
key-values: {file.keyvalue: [{name: '@ROOT@/k2'}, {key_values: {a: '9', C: x}}, {separator: '='}]}
separator: {file.keyvalue: [{name: '@ROOT@/sep'}, {key: a}, {value: '2'}, {separator: ': '}]}
append: {file.keyvalue: [{name: '@ROOT@/k3'}, {key: z}, {value: '9'}, {append_if_not_found: true}]}
prepend: {file.keyvalue: [{name: '@ROOT@/k4'}, {key: z}, {value: '9'}, {prepend_if_not_found: true}]}
not-found: {file.keyvalue: [{name: '@ROOT@/k5'}, {key: z}, {value: '9'}]}
search-only: {file.keyvalue: [{name: '@ROOT@/k6'}, {key: a}, {value: '9'}, {search_only: true}]}
hidden: {file.keyvalue: [{name: '@ROOT@/k7'}, {key: a}, {value: '9'}, {show_changes: false}]}
missing: {file.keyvalue: [{name: '@ROOT@/none'}, {key: a}, {value: '9'}]}
missing-ignored: {file.keyvalue: [{name: '@ROOT@/none'}, {key: a}, {value: '9'}, {ignore_if_missing: true}]}
count: {file.keyvalue: [{name: '@ROOT@/k8'}, {key: a}, {value: '9'}, {count: -1}]}
uncomment: {file.keyvalue: [{name: '@ROOT@/k9'}, {key: b}, {value: '9'}, {uncomment: '#'}]}
key-case: {file.keyvalue: [{name: '@ROOT@/k10'}, {key: c}, {value: '9'}, {key_ignore_case: true}]}
value-case: {file.keyvalue: [{name: '@ROOT@/k11'}, {key: C}, {value: three}, {value_ignore_case: true}]}
create: {file.keyvalue: [{name: '@ROOT@/created'}, {key: a}, {value: '9'}, {create_if_missing: true}, {append_if_not_found: true}]}
prune: {file.keyvalue: [{name: '@ROOT@/k12'}, {key_values: {a: '1'}}, {prune: true}]}
same: {file.keyvalue: [{name: '@ROOT@/k13'}, {key: C}, {value: Three}]}
nothing: {file.keyvalue: [{name: '@ROOT@/k13'}]}
