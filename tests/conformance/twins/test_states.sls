# Each of test.*, as it answers.
nop: test.nop
nop-named: {test.nop: [{name: x}, {foo: bar}]}
same: test.succeed_without_changes
same-named: {test.succeed_without_changes: [{name: x}]}
changed: test.succeed_with_changes
fails: test.fail_without_changes
fails-named: {test.fail_without_changes: [{name: x}]}
fails-changed: test.fail_with_changes
fails-changed-named: {test.fail_with_changes: [{name: x}]}
shown: {test.show_notification: [{text: a text}]}
shown-named: {test.show_notification: [{name: x}, {text: a text}]}
shown-nothing: test.show_notification
c1: {test.configurable_test_state: [{changes: true}, {result: true}, {comment: one}]}
c2: {test.configurable_test_state: [{changes: false}, {result: true}]}
c3: {test.configurable_test_state: [{changes: true}, {result: false}, {comment: three}]}
c4: {test.configurable_test_state: [{changes: false}, {result: false}, {warnings: [w1, w2]}]}
c5: {test.configurable_test_state: [{changes: true}, {result: true}, {allow_test_mode_failure: false}]}
c6: {test.configurable_test_state: [{name: x}, {changes: false}, {result: false}, {allow_test_mode_failure: true}]}
c7: {test.configurable_test_state: [{changes: {a: {old: 1, new: 2}}}, {result: true}]}
c8: {test.configurable_test_state: [{changes: true}, {warnings: one warning}, {result: true}]}
c9: {test.configurable_test_state: [{changes: 5}, {result: true}]}
c10: {test.configurable_test_state: [{changes: true}, {result: text}]}
p1: {test.check_pillar: [{present: [no:such]}]}
p2: {test.check_pillar: [{present: [root]}, {string: [root]}]}
p3: {test.check_pillar: [{boolean: [types:bool]}, {integer: [types:int]}, {string: [types:str]}, {listing: [types:list]}, {dictionary: [types:dict]}]}
p4: {test.check_pillar: [{boolean: [types:int]}, {integer: [types:str]}, {string: [types:list]}, {listing: [types:dict]}, {dictionary: [types:bool]}]}
p5: {test.check_pillar: [{name: x}, {present: [types:bool]}, {verbose: true}]}
p6: {test.check_pillar: [{present: [types:bool, no:such]}, {verbose: true}]}
p7: {test.check_pillar: [{present: text}]}
named: {test.succeed_with_changes: [{name: other}]}
unknown: test.no_such_state
