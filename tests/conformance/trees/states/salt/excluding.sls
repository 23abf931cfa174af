#: exclude: by id, exclude: by sls
include: [several, short]
exclude:
  - id: one
  - sls: several
