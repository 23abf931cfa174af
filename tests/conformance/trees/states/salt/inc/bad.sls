include: [no.such.sls]
