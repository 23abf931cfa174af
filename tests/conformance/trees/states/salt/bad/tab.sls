#: refused: a tab
a:
	test.nop: []
