#: onchanges_any: state and id, onchanges_any: state and name, onchanges_any: bare id, onchanges_any: id, onchanges_any: glob, onchanges_any: sls, onchanges_any: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - onchanges_any: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - onchanges_any: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - onchanges_any: [target-id]
id:
  file.managed:
    - name: /d/id
    - onchanges_any: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - onchanges_any: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - onchanges_any: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - onchanges_any: [{file: target-id}, {pkg: target-pkg}, web-1]
