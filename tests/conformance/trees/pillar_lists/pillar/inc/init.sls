include:
  - .sub
  - other:
      key: under:here
      defaults:
        v: 7
  - later
own: {{ grains.os }}
over: own
