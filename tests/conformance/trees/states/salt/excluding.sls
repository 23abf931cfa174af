include: [several, short]
exclude:
  - id: one
  - sls: several
