vars: {c: 3}
