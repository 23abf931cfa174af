# unless, onlyif, creates, check_cmd: run or not, in shell and as functions.
u1: {test.succeed_with_changes: [{unless: 'true'}]}
u2: {test.succeed_with_changes: [{unless: 'false'}]}
u3: {test.succeed_with_changes: [{unless: ['false', 'true']}]}
u4: {test.succeed_with_changes: [{unless: ['true', 'true']}]}
u5: {test.succeed_with_changes: [{unless: [{fun: test.true}]}]}
o1: {test.succeed_with_changes: [{onlyif: 'true'}]}
o2: {test.succeed_with_changes: [{onlyif: 'false'}]}
o3: {test.succeed_with_changes: [{onlyif: ['true', 'false']}]}
o4: {test.succeed_with_changes: [{onlyif: [{fun: test.false}]}]}
o5: {test.succeed_with_changes: [{onlyif: 'true'}, {unless: 'true'}]}
c1: {test.succeed_with_changes: [{creates: '@ROOT@'}]}
c2: {test.succeed_with_changes: [{creates: '@ROOT@/no'}]}
c3: {test.succeed_with_changes: [{creates: ['@ROOT@', '@ROOT@/no']}]}
k1: {test.succeed_with_changes: [{check_cmd: ['true']}]}
k2: {test.succeed_with_changes: [{check_cmd: ['false']}]}
k3: {test.fail_with_changes: [{check_cmd: ['true']}]}
