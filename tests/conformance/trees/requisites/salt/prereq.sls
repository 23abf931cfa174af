#: prereq: state and id, prereq: state and name, prereq: bare id, prereq: id, prereq: glob, prereq: sls, prereq: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - prereq: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - prereq: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - prereq: [target-id]
id:
  file.managed:
    - name: /d/id
    - prereq: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - prereq: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - prereq: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - prereq: [{file: target-id}, {pkg: target-pkg}, web-1]
