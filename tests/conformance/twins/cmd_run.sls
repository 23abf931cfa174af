# before: mkdir bin chroot; printf '#!/bin/sh\necho mine\n' > bin/own-program; chmod 755 bin/own-program
echo: {cmd.run: [{name: echo hello}]}
cwd: {cmd.run: [{name: touch here}, {cwd: '@ROOT@'}]}
no-cwd: {cmd.run: [{name: 'true'}, {cwd: '@ROOT@/none'}]}
env: {cmd.run: [{name: 'echo $A'}, {env: [{A: b}]}]}
env-map: {cmd.run: [{name: 'echo $A$B'}, {env: {A: b, B: 'yes'}}]}
env-wrong: {cmd.run: [{name: 'echo $A'}, {env: text}]}
runas: {cmd.run: [{name: id -un}, {runas: daemon}, {cwd: /}]}
runas-none: {cmd.run: [{name: id -un}, {runas: no-such-user}, {cwd: /}]}
shell: {cmd.run: [{name: 'echo $0'}, {shell: /bin/bash}]}
prepend: {cmd.run: [{name: own-program}, {prepend_path: '@ROOT@/bin'}]}
fails: {cmd.run: [{name: exit 3}]}
success: {cmd.run: [{name: exit 3}, {success_retcodes: [3]}]}
success-stdout: {cmd.run: [{name: echo fine; exit 1}, {success_stdout: [fine]}]}
success-stderr: {cmd.run: [{name: echo fine >&2; exit 1}, {success_stderr: [fine]}]}
stateful: {cmd.run: [{name: echo changed=no comment=nothing}, {stateful: true}]}
stateful-changed: {cmd.run: [{name: echo changed=yes comment=something what=x}, {stateful: true}]}
stateful-json: {cmd.run: [{name: "echo '{\"changed\": true, \"comment\": \"from json\"}'"}, {stateful: true}]}
stateful-nonsense: {cmd.run: [{name: "echo nonsense"}, {stateful: true}]}
stateful-quoted: {cmd.run: [{name: "echo changed=no comment='nothing new'"}, {stateful: true}]}
stateful-test: {cmd.run: [{name: "echo changed=yes comment=ran"}, {stateful: [{test_name: "echo changed=yes comment=would"}]}]}
level: {cmd.run: [{name: echo loud}, {output_loglevel: quiet}]}
hidden: {cmd.run: [{name: echo secret}, {hide_output: true}]}
timeout: {cmd.run: [{name: sleep 20}, {timeout: 1}]}
timeout-ignored: {cmd.run: [{name: sleep 20}, {timeout: 1}, {ignore_timeout: true}]}
timeout-text: {cmd.run: [{name: echo x}, {timeout: abc}]}
stderr: {cmd.run: [{name: 'echo out; echo err >&2'}]}
umask: {cmd.run: [{name: touch masked}, {cwd: '@ROOT@'}, {umask: '077'}, {creates: '@ROOT@/masked'}]}
creates: {cmd.run: [{name: touch made}, {cwd: '@ROOT@'}, {creates: '@ROOT@/made'}]}
creates-list: {cmd.run: [{name: touch made2}, {cwd: '@ROOT@'}, {creates: ['@ROOT@/made2', '@ROOT@/bin']}]}
unless: {cmd.run: [{name: touch once}, {cwd: '@ROOT@'}, {unless: test -e @ROOT@/once}]}
onlyif: {cmd.run: [{name: touch twice}, {cwd: '@ROOT@'}, {onlyif: test -e @ROOT@/nothing}]}
vt: {cmd.run: [{name: echo vt}, {use_vt: false}]}
not-found: {cmd.run: [{name: no-such-program-here}]}
several: {cmd.run: [{names: [echo a, echo b]}]}
bg: {cmd.run: [{name: 'true'}, {bg: true}]}
