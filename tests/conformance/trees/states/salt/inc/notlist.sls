#: include: no list
include: short
