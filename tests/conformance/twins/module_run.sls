changed: {test.succeed_with_changes: [{name: x}]}
new: {module.run: [{test.echo: [{text: hello}]}]}
new-several: {module.run: [{test.echo: [{text: hello}]}, {test.arg: [a, {b: c}]}]}
new-named: {module.run: [{name: x}, {test.echo: [{text: hello}]}]}
new-none: {module.run: [{test.no_such_function: []}]}
new-missing: {module.run: [{test.echo: []}]}
new-false: {module.run: [{test.false: []}]}
old: {module.run: [{name: test.echo}, {text: hello}]}
old-m: {module.run: [{name: test.echo}, {m_text: hello}]}
old-args: {module.run: [{name: test.arg}, {args: [a, b]}, {kwargs: {c: d}}]}
old-none: {module.run: [{name: test.no_such_function}]}
wait: {module.wait: [{name: test.echo}, {text: hello}, {watch: [{test: changed}]}]}
wait-idle: {module.wait: [{name: test.echo}, {text: hello}]}
