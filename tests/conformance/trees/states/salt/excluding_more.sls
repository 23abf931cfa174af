#: exclude: short form by sls, exclude: of nothing
include: [several, short]
exclude: [several, {id: nothing-here}]
