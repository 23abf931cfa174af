//! Parameters of the `archive` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const EXTRACTED: &[Param] = &[
    need("name"),
    need("source"),
    opt("source_hash", "None"),
    opt("source_hash_name", "None"),
    opt("source_hash_update", "False"),
    opt("skip_files_list_verify", "False"),
    opt("skip_verify", "False"),
    opt("password", "None"),
    opt("options", "None"),
    opt("list_options", "None"),
    opt("force", "False"),
    opt("overwrite", "False"),
    opt("clean", "False"),
    opt("clean_parent", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("if_missing", "None"),
    opt("trim_output", "False"),
    opt("use_cmd_unzip", "None"),
    opt("extract_perms", "True"),
    opt("enforce_toplevel", "True"),
    opt("enforce_ownership_on", "None"),
    opt("archive_format", "None"),
    opt("use_etag", "False"),
    opt("signature", "None"),
    opt("source_hash_sig", "None"),
    opt("signed_by_any", "None"),
    opt("signed_by_all", "None"),
    opt("keyring", "None"),
    opt("gnupghome", "None"),
    opt("sig_backend", "'gpg'"),
];
