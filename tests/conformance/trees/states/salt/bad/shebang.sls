#!nope
a: b
