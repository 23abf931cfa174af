//! Parameters of the `virtualenv` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const MANAGED: &[Param] = &[
    need("name"),
    opt("venv_bin", "None"),
    opt("requirements", "None"),
    opt("system_site_packages", "False"),
    opt("distribute", "False"),
    opt("use_wheel", "False"),
    opt("clear", "False"),
    opt("python", "None"),
    opt("extra_search_dir", "None"),
    opt("never_download", "None"),
    opt("prompt", "None"),
    opt("user", "None"),
    opt("cwd", "None"),
    opt("index_url", "None"),
    opt("extra_index_url", "None"),
    opt("pre_releases", "False"),
    opt("no_deps", "False"),
    opt("pip_download", "None"),
    opt("pip_download_cache", "None"),
    opt("pip_exists_action", "None"),
    opt("pip_ignore_installed", "False"),
    opt("proxy", "None"),
    opt("use_vt", "False"),
    opt("env_vars", "None"),
    opt("no_use_wheel", "False"),
    opt("pip_upgrade", "False"),
    opt("pip_pkgs", "None"),
    opt("pip_no_cache_dir", "False"),
    opt("pip_cache_dir", "None"),
    opt("process_dependency_links", "False"),
    opt("no_binary", "None"),
];
