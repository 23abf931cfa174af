# failhard: nothing is run behind the one that failed.
a: test.succeed_with_changes
b: {test.fail_without_changes: [{failhard: true}]}
c: test.succeed_with_changes
