# Makes a bare repository, @ROOT@/origin (branches main and topic, tags v1 and v2, a submodule), whose commits
# have the same names everywhere, and clones of it as they were at the tag v1. Run in @ROOT@.
set -e
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
git config --global user.name Twin
git config --global user.email twin@localhost
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global --add safe.directory '*'
git init -q sub && (cd sub && echo sub >s && git add s && git commit -q -m sub)
git init -q work && cd work
echo one >f && git add f && git commit -q -m one && git tag v1
cd .. && git clone -q --bare work origin
for name in $CLONES; do git clone -q origin "$name"; done
cd work && git remote add origin ../origin
echo two >f && git commit -q -a -m two && git tag -a -m two v2
git push -q origin main v2
git checkout -q -b topic v1 && echo topic >t && git add t && git commit -q -m topic && git push -q origin topic
git checkout -q -b withsub main && git submodule -q add ../sub lib && git commit -q -m lib && git push -q origin withsub
cd .. && rm -rf work
