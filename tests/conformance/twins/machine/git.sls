# before: CLONES='up-to-date behind local local-kept dirty dirty-kept ahead ahead-kept branch tag here detached detached-dirty depth-old other-remote fetch-tags rewritten no-tags' sh ../salt/files/history.sh; (cd up-to-date && git pull -q); for d in local local-kept detached-dirty; do echo mine >$d/mine; done; for d in dirty dirty-kept detached-dirty; do echo dirty >$d/f; done; for d in ahead ahead-kept; do (cd $d && GIT_AUTHOR_DATE=2024-01-02T00:00:00Z GIT_COMMITTER_DATE=2024-01-02T00:00:00Z git commit -q --allow-empty -m mine); done; mkdir occupied full cloned-full detach-full; touch occupied/f full/f cloned-full/f detach-full/f; (cd other-remote && git remote set-url origin /nowhere)
# tree: none
# look: for d in *; do [ -e $d/HEAD -o -e $d/.git ] && (cd $d; echo "$d $(git rev-parse --abbrev-ref HEAD) $(git rev-parse HEAD) $(git tag | tr '\n' ' ')$(git branch -a --format '%(refname:short)' | tr '\n' ' ')$(git remote -v | tr '\n\t' '  ')$(git status --porcelain | tr '\n' ' ')$(stat -c %U .) $(git rev-parse --is-shallow-repository)"); done
# look: for d in *; do [ -e $d/f ] && echo $d $(cat $d/f) $(ls -A $d | tr '\n' ' '); done
new: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new'}]}
new-rev: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-rev'}, {rev: main}]}
new-branch: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-branch'}, {rev: topic}, {branch: mine}]}
new-tag: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-tag'}, {rev: v1}]}
new-sha: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-sha'}, {rev: '475c8e0'}]}
new-bare: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-bare'}, {bare: true}]}
new-mirror: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-mirror'}, {mirror: true}]}
new-depth: {git.latest: [{name: 'file://@ROOT@/origin'}, {target: '@ROOT@/new-depth'}, {rev: main}, {depth: 1}]}
new-remote: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-remote'}, {remote: upstream}]}
new-sub: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/new-sub'}, {rev: withsub}, {submodules: true}]}
new-user: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/as/new-user'}, {user: nowhere}]}
new-rev-none: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/rev-none'}, {rev: no-such-rev}]}
new-none: {git.latest: [{name: '@ROOT@/no-origin'}, {target: '@ROOT@/new-none'}]}
new-https: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/https'}, {https_user: u}, {https_pass: p}]}
new-encoding: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/encoding'}, {output_encoding: utf-8}]}
identity-none: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/identity'}, {identity: /no/such/key}]}
up-to-date: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/up-to-date'}, {rev: main}]}
behind: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/behind'}, {rev: main}]}
local: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/local'}, {rev: main}, {force_reset: true}]}
local-kept: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/local-kept'}, {rev: main}, {update_head: false}]}
dirty: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/dirty'}, {rev: main}, {force_reset: true}]}
dirty-kept: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/dirty-kept'}, {rev: main}, {force_reset: remote-changes}]}
ahead: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/ahead'}, {rev: main}, {force_reset: true}]}
ahead-kept: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/ahead-kept'}, {rev: main}]}
branch: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/branch'}, {rev: topic}, {branch: topic}, {force_checkout: true}]}
tag: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/tag'}, {rev: v2}]}
occupied: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/occupied'}]}
full: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/full'}, {force_clone: true}]}
other-remote: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/other-remote'}, {rev: main}]}
force-fetch: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/rewritten'}, {rev: main}, {force_fetch: true}]}
no-tags: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/no-tags'}, {rev: main}, {fetch_tags: false}, {sync_tags: false}]}
refspec: {git.latest: [{name: '@ROOT@/origin'}, {target: '@ROOT@/fetch-tags'}, {rev: main}, {refspec_branch: main}, {refspec_tag: v1}]}
cloned: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned'}]}
cloned-branch: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-branch'}, {branch: topic}]}
cloned-there: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/here'}]}
cloned-there-branch: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/depth-old'}, {branch: topic}]}
cloned-full: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-full'}]}
cloned-none: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-none'}, {branch: no-such}]}
cloned-output: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-output'}, {output_encoding: utf-8}]}
cloned-https: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-https'}, {https_user: u}, {https_pass: p}]}
cloned-identity: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-identity'}, {identity: /no/such/key}]}
cloned-user: {git.cloned: [{name: '@ROOT@/origin'}, {target: '@ROOT@/cloned-user'}, {user: nowhere}]}
detach: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/detach-new'}]}
detach-branch: {git.detached: [{name: '@ROOT@/origin'}, {rev: topic}, {target: '@ROOT@/detach-branch'}, {remote: upstream}]}
detach-there: {git.detached: [{name: '@ROOT@/origin'}, {rev: v2}, {target: '@ROOT@/detached'}, {fetch_remote: true}]}
detach-dirty: {git.detached: [{name: '@ROOT@/origin'}, {rev: v2}, {target: '@ROOT@/detached-dirty'}, {hard_reset: true}, {force_checkout: true}]}
detach-none: {git.detached: [{name: '@ROOT@/origin'}, {rev: no-such}, {target: '@ROOT@/detach-none'}]}
detach-full: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/occupied'}]}
detach-force: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/detach-full'}, {force_clone: true}]}
detach-sub: {git.detached: [{name: '@ROOT@/origin'}, {rev: withsub}, {target: '@ROOT@/detach-sub'}, {submodules: true}, {output_encoding: utf-8}]}
detach-https: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/detach-https'}, {https_user: u}, {https_pass: p}]}
detach-identity: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/detach-identity'}, {identity: /no/such/key}]}
detach-user: {git.detached: [{name: '@ROOT@/origin'}, {rev: v1}, {target: '@ROOT@/detach-user'}, {user: nowhere}]}
