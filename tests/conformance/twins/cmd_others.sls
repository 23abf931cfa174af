# before: mkdir bin
changed: {test.succeed_with_changes: [{name: x}]}
wait: {cmd.wait: [{name: touch waited}, {cwd: '@ROOT@'}, {watch: [{test: changed}]}]}
wait-idle: {cmd.wait: [{name: touch never}, {cwd: '@ROOT@'}]}
wait-env: {cmd.wait: [{name: 'echo $A; echo $0'}, {env: [{A: b}]}, {shell: /bin/bash}, {runas: daemon}, {cwd: /}, {watch: [{test: changed}]}]}
wait-stateful: {cmd.wait: [{name: "echo changed=no comment=nothing"}, {stateful: true}, {watch: [{test: changed}]}]}
wait-level: {cmd.wait: [{name: echo a}, {output_loglevel: quiet}, {hide_output: true}, {use_vt: false}, {watch: [{test: changed}]}]}
wait-success: {cmd.wait: [{name: 'echo out; echo err >&2; exit 4'}, {success_retcodes: [4]}, {success_stdout: [out]}, {success_stderr: [err]}, {watch: [{test: changed}]}]}
wait-fails: {cmd.wait: [{name: exit 5}, {watch: [{test: changed}]}]}
script: {cmd.script: [{name: 'salt://files/script.sh'}, {args: a b}]}
script-source: {cmd.script: [{name: script.sh a b}, {source: 'salt://files/script.sh'}]}
script-template: {cmd.script: [{name: 'salt://files/echo.jinja'}, {template: jinja}, {context: {who: world}}, {defaults: {who: nobody, more: 1}}]}
script-cwd: {cmd.script: [{name: 'salt://files/pwd.sh'}, {cwd: /}, {env: [{A: b}]}]}
script-runas: {cmd.script: [{name: 'salt://files/pwd.sh'}, {cwd: /}, {runas: daemon}]}
script-shell: {cmd.script: [{name: 'salt://files/pwd.sh'}, {cwd: /}, {shell: /bin/bash}]}
script-stateful: {cmd.script: [{name: 'salt://files/stateful.sh'}, {stateful: true}]}
script-timeout: {cmd.script: [{name: 'salt://files/script.sh'}, {timeout: 30}]}
script-level: {cmd.script: [{name: 'salt://files/script.sh'}, {output_loglevel: quiet}, {hide_output: true}, {use_vt: false}]}
script-success: {cmd.script: [{name: 'salt://files/fails.sh'}, {success_retcodes: [6]}]}
script-success-out: {cmd.script: [{name: 'salt://files/fails.sh'}, {success_stdout: [out]}]}
script-success-err: {cmd.script: [{name: 'salt://files/fails.sh'}, {success_stderr: [err]}]}
script-fails: {cmd.script: [{name: 'salt://files/fails.sh'}]}
script-creates: {cmd.script: [{name: 'salt://files/script.sh'}, {creates: '@ROOT@/bin'}]}
