#: pillar include: relative, pillar include: key, pillar include: defaults
include:
  - .sub
  - other:
      key: under:here
      defaults:
        v: 7
  - later
own: {{ grains.os }}
over: own
