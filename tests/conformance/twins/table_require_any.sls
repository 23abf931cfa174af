# require_any: a target of each outcome, and what its dependent does.
target-fails:
  test.fail_without_changes: []
target-fails-changed:
  test.fail_with_changes: []
target-same:
  test.succeed_without_changes: []
target-changed:
  test.succeed_with_changes: []
target-skipped:
  test.succeed_with_changes:
    - onlyif: 'false'
target-refused:
  test.succeed_with_changes:
    - require: [{test: target-fails}]
same-if-fails:
  test.succeed_without_changes:
    - require_any: [{test: target-fails}]
changed-if-fails:
  test.succeed_with_changes:
    - require_any: [{test: target-fails}]
same-if-fails-changed:
  test.succeed_without_changes:
    - require_any: [{test: target-fails-changed}]
changed-if-fails-changed:
  test.succeed_with_changes:
    - require_any: [{test: target-fails-changed}]
same-if-same:
  test.succeed_without_changes:
    - require_any: [{test: target-same}]
changed-if-same:
  test.succeed_with_changes:
    - require_any: [{test: target-same}]
same-if-changed:
  test.succeed_without_changes:
    - require_any: [{test: target-changed}]
changed-if-changed:
  test.succeed_with_changes:
    - require_any: [{test: target-changed}]
same-if-skipped:
  test.succeed_without_changes:
    - require_any: [{test: target-skipped}]
changed-if-skipped:
  test.succeed_with_changes:
    - require_any: [{test: target-skipped}]
same-if-refused:
  test.succeed_without_changes:
    - require_any: [{test: target-refused}]
changed-if-refused:
  test.succeed_with_changes:
    - require_any: [{test: target-refused}]
both-fails-same:
  test.succeed_with_changes:
    - require_any: [{test: target-fails}, {test: target-same}]
both-fails-changed:
  test.succeed_with_changes:
    - require_any: [{test: target-fails}, {test: target-changed}]
both-same-changed:
  test.succeed_with_changes:
    - require_any: [{test: target-same}, {test: target-changed}]
both-fails-skipped:
  test.succeed_with_changes:
    - require_any: [{test: target-fails}, {test: target-skipped}]
both-same-skipped:
  test.succeed_with_changes:
    - require_any: [{test: target-same}, {test: target-skipped}]
both-fails-refused:
  test.succeed_with_changes:
    - require_any: [{test: target-fails}, {test: target-refused}]
