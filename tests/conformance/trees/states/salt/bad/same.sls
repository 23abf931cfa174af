include: [short]
one: pkg.installed
