#: include: glob
include: ['inc.o*']
