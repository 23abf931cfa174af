#: onchanges: state and id, onchanges: state and name, onchanges: bare id, onchanges: id, onchanges: glob, onchanges: sls, onchanges: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - onchanges: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - onchanges: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - onchanges: [target-id]
id:
  file.managed:
    - name: /d/id
    - onchanges: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - onchanges: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - onchanges: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - onchanges: [{file: target-id}, {pkg: target-pkg}, web-1]
