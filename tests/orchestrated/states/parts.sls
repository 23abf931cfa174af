include: [parts_good, parts_bad]
