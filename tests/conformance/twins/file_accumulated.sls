one: {file.accumulated: [{filename: '@ROOT@/acc'}, {text: first}, {require_in: [{file: managed}]}]}
two: {file.accumulated: [{filename: '@ROOT@/acc'}, {name: one}, {text: [second, third]}, {require_in: [{file: managed}]}]}
none: {file.accumulated: [{filename: '@ROOT@/acc'}, {text: nobody asks}]}
managed: {file.managed: [{name: '@ROOT@/acc'}, {source: 'salt://files/accumulator.jinja'}, {template: jinja}]}
