m: {b: 2, l: [2, 3], d: {y: 2}}
s: two
