# Each of test.*, as it answers.
nop: test.nop
same: test.succeed_without_changes
changed: test.succeed_with_changes
fails: test.fail_without_changes
fails-changed: test.fail_with_changes
shown: {test.show_notification: [{text: a text}]}
c1: {test.configurable_test_state: [{changes: true}, {result: true}, {comment: one}]}
c2: {test.configurable_test_state: [{changes: false}, {result: true}]}
c3: {test.configurable_test_state: [{changes: true}, {result: false}, {comment: three}]}
c4: {test.configurable_test_state: [{changes: false}, {result: false}, {warnings: [w1, w2]}]}
c5: {test.configurable_test_state: [{changes: true}, {result: true}, {allow_test_mode_failure: false}]}
p1: {test.check_pillar: [{present: [no:such]}]}
p2: {test.check_pillar: [{present: [root]}, {string: [root]}]}
named: {test.succeed_with_changes: [{name: other}]}
