done:
  test.succeed_with_changes: []
half:
  test.fail_with_changes: []
