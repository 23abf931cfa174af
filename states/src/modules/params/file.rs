//! Parameters of the `file` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const MANAGED: &[Param] = &[
    need("name"),
    opt("source", "None"),
    opt("source_hash", "''"),
    opt("source_hash_name", "None"),
    opt("keep_source", "True"),
    opt("user", "None"),
    opt("group", "None"),
    opt("mode", "None"),
    opt("attrs", "None"),
    opt("template", "None"),
    opt("makedirs", "False"),
    opt("dir_mode", "None"),
    opt("context", "None"),
    opt("replace", "True"),
    opt("defaults", "None"),
    opt("backup", "''"),
    opt("show_changes", "True"),
    opt("create", "True"),
    opt("contents", "None"),
    opt("tmp_dir", "None"),
    opt("tmp_ext", "''"),
    opt("contents_pillar", "None"),
    opt("contents_grains", "None"),
    opt("contents_newline", "True"),
    opt("contents_delimiter", "':'"),
    opt("encoding", "None"),
    opt("encoding_errors", "'strict'"),
    opt("allow_empty", "True"),
    opt("follow_symlinks", "True"),
    opt("check_cmd", "None"),
    opt("skip_verify", "False"),
    opt("selinux", "None"),
    opt("win_owner", "None"),
    opt("win_perms", "None"),
    opt("win_deny_perms", "None"),
    opt("win_inheritance", "True"),
    opt("win_perms_reset", "False"),
    opt("verify_ssl", "True"),
    opt("use_etag", "False"),
    opt("signature", "None"),
    opt("source_hash_sig", "None"),
    opt("signed_by_any", "None"),
    opt("signed_by_all", "None"),
    opt("keyring", "None"),
    opt("gnupghome", "None"),
    opt("ignore_ordering", "False"),
    opt("ignore_whitespace", "False"),
    opt("ignore_comment_characters", "None"),
    opt("new_file_diff", "False"),
    opt("sig_backend", "'gpg'"),
];

pub const DIRECTORY: &[Param] = &[
    need("name"),
    opt("user", "None"),
    opt("group", "None"),
    opt("recurse", "None"),
    opt("max_depth", "None"),
    opt("dir_mode", "None"),
    opt("file_mode", "None"),
    opt("makedirs", "False"),
    opt("clean", "False"),
    opt("require", "None"),
    opt("exclude_pat", "None"),
    opt("follow_symlinks", "False"),
    opt("force", "False"),
    opt("backupname", "None"),
    opt("allow_symlink", "True"),
    opt("children_only", "False"),
    opt("win_owner", "None"),
    opt("win_perms", "None"),
    opt("win_deny_perms", "None"),
    opt("win_inheritance", "True"),
    opt("win_perms_reset", "False"),
];

pub const ABSENT: &[Param] = &[need("name")];

pub const RECURSE: &[Param] = &[
    need("name"),
    need("source"),
    opt("keep_source", "True"),
    opt("clean", "False"),
    opt("require", "None"),
    opt("user", "None"),
    opt("group", "None"),
    opt("dir_mode", "None"),
    opt("file_mode", "None"),
    opt("sym_mode", "None"),
    opt("template", "None"),
    opt("context", "None"),
    opt("replace", "True"),
    opt("defaults", "None"),
    opt("include_empty", "False"),
    opt("backup", "''"),
    opt("include_pat", "None"),
    opt("exclude_pat", "None"),
    opt("maxdepth", "None"),
    opt("keep_symlinks", "False"),
    opt("force_symlinks", "False"),
    opt("win_owner", "None"),
    opt("win_perms", "None"),
    opt("win_deny_perms", "None"),
    opt("win_inheritance", "True"),
    opt("merge", "False"),
];

pub const SYMLINK: &[Param] = &[
    need("name"),
    need("target"),
    opt("force", "False"),
    opt("backupname", "None"),
    opt("makedirs", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("mode", "None"),
    opt("win_owner", "None"),
    opt("win_perms", "None"),
    opt("win_deny_perms", "None"),
    opt("win_inheritance", "None"),
    opt("atomic", "False"),
    opt("disallow_copy_and_unlink", "False"),
    opt("inherit_user_and_group", "False"),
    opt("follow_symlinks", "True"),
];

pub const APPEND: &[Param] = &[
    need("name"),
    opt("text", "None"),
    opt("makedirs", "False"),
    opt("source", "None"),
    opt("source_hash", "None"),
    opt("template", "'jinja'"),
    opt("sources", "None"),
    opt("source_hashes", "None"),
    opt("defaults", "None"),
    opt("context", "None"),
    opt("ignore_whitespace", "True"),
    opt("show_changes", "True"),
];

pub const PREPEND: &[Param] = &[
    need("name"),
    opt("text", "None"),
    opt("makedirs", "False"),
    opt("source", "None"),
    opt("source_hash", "None"),
    opt("template", "'jinja'"),
    opt("sources", "None"),
    opt("source_hashes", "None"),
    opt("defaults", "None"),
    opt("context", "None"),
    opt("header", "None"),
    opt("show_changes", "True"),
];

pub const REPLACE: &[Param] = &[
    need("name"),
    need("pattern"),
    need("repl"),
    opt("count", "0"),
    opt("flags", "8"),
    opt("bufsize", "1"),
    opt("append_if_not_found", "False"),
    opt("prepend_if_not_found", "False"),
    opt("not_found_content", "None"),
    opt("backup", "'.bak'"),
    opt("show_changes", "True"),
    opt("ignore_if_missing", "False"),
    opt("backslash_literal", "False"),
    opt("encoding", "None"),
];

pub const LINE: &[Param] = &[
    need("name"),
    opt("content", "None"),
    opt("match", "None"),
    opt("mode", "None"),
    opt("location", "None"),
    opt("before", "None"),
    opt("after", "None"),
    opt("show_changes", "True"),
    opt("backup", "False"),
    opt("quiet", "False"),
    opt("indent", "True"),
    opt("create", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("file_mode", "None"),
];

pub const BLOCKREPLACE: &[Param] = &[
    need("name"),
    opt("marker_start", "'#-- start managed zone --'"),
    opt("marker_end", "'#-- end managed zone --'"),
    opt("source", "None"),
    opt("source_hash", "None"),
    opt("template", "'jinja'"),
    opt("sources", "None"),
    opt("source_hashes", "None"),
    opt("defaults", "None"),
    opt("context", "None"),
    opt("content", "''"),
    opt("append_if_not_found", "False"),
    opt("prepend_if_not_found", "False"),
    opt("backup", "'.bak'"),
    opt("show_changes", "True"),
    opt("append_newline", "None"),
    opt("insert_before_match", "None"),
    opt("insert_after_match", "None"),
];

pub const SERIALIZE: &[Param] = &[
    need("name"),
    opt("dataset", "None"),
    opt("dataset_pillar", "None"),
    opt("user", "None"),
    opt("group", "None"),
    opt("mode", "None"),
    opt("backup", "''"),
    opt("makedirs", "False"),
    opt("show_changes", "True"),
    opt("create", "True"),
    opt("merge_if_exists", "False"),
    opt("encoding", "None"),
    opt("encoding_errors", "'strict'"),
    opt("serializer", "None"),
    opt("serializer_opts", "None"),
    opt("deserializer_opts", "None"),
    opt("check_cmd", "None"),
    opt("tmp_dir", "None"),
    opt("tmp_ext", "''"),
];

pub const COMMENT: &[Param] =
    &[need("name"), need("regex"), opt("char", "'#'"), opt("backup", "'.bak'"), opt("ignore_missing", "False")];

pub const UNCOMMENT: &[Param] = &[need("name"), need("regex"), opt("char", "'#'"), opt("backup", "'.bak'")];

pub const COPY: &[Param] = &[
    need("name"),
    need("source"),
    opt("force", "False"),
    opt("makedirs", "False"),
    opt("preserve", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("mode", "None"),
    opt("dir_mode", "None"),
    opt("subdir", "False"),
];

pub const RENAME: &[Param] = &[need("name"), need("source"), opt("force", "False"), opt("makedirs", "False")];

pub const TOUCH: &[Param] = &[need("name"), opt("atime", "None"), opt("mtime", "None"), opt("makedirs", "False")];

pub const EXISTS: &[Param] = &[need("name")];

pub const MISSING: &[Param] = &[need("name")];

pub const KEYVALUE: &[Param] = &[
    need("name"),
    opt("key", "None"),
    opt("value", "None"),
    opt("key_values", "None"),
    opt("separator", "'='"),
    opt("append_if_not_found", "False"),
    opt("prepend_if_not_found", "False"),
    opt("search_only", "False"),
    opt("show_changes", "True"),
    opt("ignore_if_missing", "False"),
    opt("count", "1"),
    opt("uncomment", "None"),
    opt("key_ignore_case", "False"),
    opt("value_ignore_case", "False"),
    opt("create_if_missing", "False"),
    opt("prune", "False"),
];

pub const ACCUMULATED: &[Param] = &[need("name"), need("filename"), need("text")];

pub const HARDLINK: &[Param] = &[
    need("name"),
    need("target"),
    opt("force", "False"),
    opt("makedirs", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("dir_mode", "None"),
];
