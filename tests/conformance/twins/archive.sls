# before: sh ../salt/files/archives.sh
tar: {archive.extracted: [{name: '@ROOT@/tar'}, {source: '@ROOT@/app.tar'}]}
tar-gz: {archive.extracted: [{name: '@ROOT@/tar-gz'}, {source: '@ROOT@/app.tar.gz'}]}
tar-xz: {archive.extracted: [{name: '@ROOT@/tar-xz/'}, {source: '@ROOT@/app.tar.xz'}]}
tar-bz2: {archive.extracted: [{name: '@ROOT@/tar-bz2'}, {source: 'file://@ROOT@/app.tar.bz2'}]}
tgz: {archive.extracted: [{name: '@ROOT@/tgz'}, {source: '@ROOT@/app.tgz'}]}
zip: {archive.extracted: [{name: '@ROOT@/zip'}, {source: '@ROOT@/app.zip'}]}
zip-perms: {archive.extracted: [{name: '@ROOT@/zip-perms'}, {source: '@ROOT@/app.zip'}, {use_cmd_unzip: false}, {extract_perms: false}]}
zip-cmd: {archive.extracted: [{name: '@ROOT@/zip-cmd'}, {source: '@ROOT@/app.zip'}, {use_cmd_unzip: true}]}
zip-secret: {archive.extracted: [{name: '@ROOT@/zip-secret'}, {source: 'salt://files/secret.zip'}, {password: secret}, {enforce_toplevel: false}]}
zip-options: {archive.extracted: [{name: '@ROOT@/zip-options'}, {source: '@ROOT@/app.zip'}, {options: '-j'}]}
format: {archive.extracted: [{name: '@ROOT@/format'}, {source: '@ROOT@/app.unknown'}, {archive_format: tar}]}
format-none: {archive.extracted: [{name: '@ROOT@/format-none'}, {source: '@ROOT@/app.unknown'}]}
format-wrong: {archive.extracted: [{name: '@ROOT@/format-wrong'}, {source: '@ROOT@/app.tar'}, {archive_format: zap}]}
options: {archive.extracted: [{name: '@ROOT@/options'}, {source: '@ROOT@/app.tar.gz'}, {options: '--strip-components=1'}, {enforce_toplevel: false}]}
list-options: {archive.extracted: [{name: '@ROOT@/list-options'}, {source: '@ROOT@/app.tar.gz'}, {list_options: '--numeric-owner'}]}
flat: {archive.extracted: [{name: '@ROOT@/flat'}, {source: '@ROOT@/flat.tar'}]}
flat-allowed: {archive.extracted: [{name: '@ROOT@/flat-allowed'}, {source: '@ROOT@/flat.tar'}, {enforce_toplevel: false}]}
owner: {archive.extracted: [{name: '@ROOT@/owner'}, {source: '@ROOT@/app.tar'}, {user: daemon}, {group: games}]}
owner-none: {archive.extracted: [{name: '@ROOT@/owner-none'}, {source: '@ROOT@/app.tar'}, {user: no-such-user}]}
old-owner: {archive.extracted: [{name: '@ROOT@/old-owner'}, {source: '@ROOT@/app.tar'}, {user: daemon}]}
owner-on: {archive.extracted: [{name: '@ROOT@/owner-on'}, {source: '@ROOT@/app.tar'}, {user: daemon}, {enforce_ownership_on: '@ROOT@/owner-on/app/sub'}]}
there: {archive.extracted: [{name: '@ROOT@/there'}, {source: '@ROOT@/app.tar'}]}
clean: {archive.extracted: [{name: '@ROOT@/there-clean'}, {source: '@ROOT@/app.tar'}, {clean: true}]}
clean-parent: {archive.extracted: [{name: '@ROOT@/there-parent'}, {source: '@ROOT@/app.tar'}, {clean_parent: true}]}
overwrite: {archive.extracted: [{name: '@ROOT@/there-over'}, {source: '@ROOT@/app.tar'}, {overwrite: true}]}
force: {archive.extracted: [{name: '@ROOT@/force'}, {source: '@ROOT@/app.tar'}, {force: true}]}
missing-some: {archive.extracted: [{name: '@ROOT@/missing-some'}, {source: '@ROOT@/app.tar'}]}
if-missing: {archive.extracted: [{name: '@ROOT@/if-missing-to'}, {source: '@ROOT@/app.tar'}, {if_missing: '@ROOT@/if-missing'}]}
trim: {archive.extracted: [{name: '@ROOT@/trim'}, {source: '@ROOT@/app.tar.gz'}, {options: v}, {trim_output: 1}]}
hash: {archive.extracted: [{name: '@ROOT@/hash'}, {source: '@ROOT@/app.tar.gz'}, {source_hash: '@ROOT@/hashes'}, {source_hash_name: some-name}]}
hash-update: {archive.extracted: [{name: '@ROOT@/hash-update'}, {source: '@ROOT@/app.tar.gz'}, {source_hash: '@ROOT@/hashes'}, {source_hash_name: some-name}, {source_hash_update: true}]}
hash-wrong: {archive.extracted: [{name: '@ROOT@/hash-wrong'}, {source: '@ROOT@/app.tar'}, {source_hash: md5=00000000000000000000000000000000}]}
skip: {archive.extracted: [{name: '@ROOT@/skip'}, {source: '@ROOT@/app.tar'}, {skip_verify: true}, {skip_files_list_verify: true}]}
skip-list: {archive.extracted: [{name: '@ROOT@/skip-list'}, {source: '@ROOT@/app.tar.gz'}, {source_hash: '@ROOT@/hashes'}, {source_hash_name: some-name}, {skip_files_list_verify: true}]}
source-list: {archive.extracted: [{name: '@ROOT@/source-list'}, {source: ['@ROOT@/none.tar', '@ROOT@/app.tar']}]}
none: {archive.extracted: [{name: '@ROOT@/none'}, {source: '@ROOT@/none.tar'}]}
broken: {archive.extracted: [{name: '@ROOT@/broken'}, {source: '@ROOT@/broken.tar.gz'}]}
relative: {archive.extracted: [{name: relative/path}, {source: '@ROOT@/app.tar'}]}
salt: {archive.extracted: [{name: '@ROOT@/salt'}, {source: 'salt://files/app.tar'}]}
no-source: {archive.extracted: [{name: '@ROOT@/no-source'}, {source: []}]}
