all:
  cmd.run:
    - name: echo
    - unless: 'false'
    - onlyif: ['true', {fun: test.ping}]
    - creates: /x
    - check_cmd: ['true']
    - retry: {attempts: 3, interval: 5}
    - failhard: true
    - runas: root
    - umask: '077'
    - timeout: 5
    - fire_event: true
    - parallel: true
    - reload_modules: true
    - reload_grains: true
    - reload_pillar: true
    - aggregate: true
