include: ['inc.o*']
