m: {a: 1, l: [1, 2], d: {x: 1}}
s: one
