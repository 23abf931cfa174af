#: include: of nothing
include: [no.such.sls]
