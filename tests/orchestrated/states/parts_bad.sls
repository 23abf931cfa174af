bad part:
  test.fail_without_changes: []
