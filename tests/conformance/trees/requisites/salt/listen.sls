#: listen: state and id, listen: state and name, listen: bare id, listen: id, listen: glob, listen: sls, listen: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - listen: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - listen: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - listen: [target-id]
id:
  file.managed:
    - name: /d/id
    - listen: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - listen: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - listen: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - listen: [{file: target-id}, {pkg: target-pkg}, web-1]
