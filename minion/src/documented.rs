//! Every function that Salt 3008.3 documents of the modules that states share code with is here, or
//! stands below with the reason why it is not.

use states::call::Functions;

use crate::exec::Table;

/// Module, the file of Salt that it is, and its functions.
const SALT: &[(&str, &str, &str)] = &[
    ("archive", "archive.py", "cmd_unzip cmd_zip gunzip gzip is_encrypted list rar tar unrar unzip zip"),
    (
        "cp",
        "cp.py",
        "cache_dest cache_dir cache_file cache_file_ssh cache_files cache_local_file cache_master envs \
         get_dir get_file get_file_str get_template get_url hash_file hash_file_ssh is_cached list_master \
         list_master_dirs list_master_symlinks list_minion list_states push push_dir recv recv_chunked \
         stat_file",
    ),
    (
        "cron",
        "cron.py",
        "get_entry list_tab ls raw_cron rm rm_env rm_job rm_special set_env set_job set_special \
         write_cron_file write_cron_file_verbose",
    ),
    (
        "file",
        "file.py",
        "access append apply_template_on_contents basename blockreplace chattr check_file_meta check_hash \
         check_managed check_managed_changes check_perms chgrp chown comment comment_line contains \
         contains_glob contains_regex copy delete_backup directory_exists dirname diskusage extract_hash \
         file_exists find get_devmm get_diff get_gid get_group get_hash get_managed get_mode \
         get_selinux_context get_source_sum get_sum get_uid get_user gid_to_group grep group_to_gid \
         is_blkdev is_chrdev is_fifo is_hardlink is_link join lchown line link list_backup list_backups \
         list_backups_dir lsattr lstat makedirs makedirs_perms manage_file mkdir mknod mknod_blkdev \
         mknod_chrdev mknod_fifo move normpath open_files pardir patch path_exists_glob prepend psed read \
         readdir readlink remove remove_backup rename replace restore_backup restorecon rmdir search sed \
         sed_contains seek_read seek_write set_mode set_selinux_context source_list stats statvfs symlink \
         touch truncate uid_to_user uncomment user_to_uid write",
    ),
    (
        "git",
        "git.py",
        "add archive branch checkout clone commit config_get config_get_regex config_get_regexp config_set \
         config_unset current_branch describe diff discard_local_changes fetch init is_worktree \
         list_branches list_tags list_worktrees ls_remote merge merge_base merge_tree pull push rebase \
         remote_get remote_refs remote_set remotes reset rev_parse revision rm stash status submodule \
         symbolic_ref tag version worktree_add worktree_prune worktree_rm",
    ),
    ("group", "groupadd.py", "add adduser chgid delete deluser getent info members"),
    (
        "pkg",
        "aptpkg.py",
        "add_repo_key autoremove available_version del_repo del_repo_key file_dict file_list get_repo \
         get_repo_keys get_selections hold info_installed install latest_version list_downloaded list_pkgs \
         list_repo_pkgs list_repos list_upgrades mod_repo normalize_name owner parse_arch purge refresh_db \
         remove services_need_restart set_selections show unhold upgrade upgrade_available version \
         version_cmp which",
    ),
    (
        "service",
        "systemd_service.py",
        "available disable disabled enable enabled execs firstboot force_reload get_all get_disabled \
         get_enabled get_running get_static mask masked missing offline reload restart show start status \
         stop systemctl_reload unmask",
    ),
    (
        "user",
        "useradd.py",
        "add chfullname chgid chgroups chhome chhomephone chloginclass chother chroomnumber chshell chuid \
         chworkphone delete get_loginclass getent info list_groups list_users primary_group rename",
    ),
];

/// What is not here, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("cp.cache_file_ssh", "a shim for salt-ssh's wrapper; cp.cache_file is the function"),
    ("cp.hash_file_ssh", "a shim for salt-ssh's wrapper; cp.hash_file is the function"),
    ("cp.recv_chunked", "the far end of the program salt-cp, which there is not; not meant to be called by people"),
];

fn documented() -> impl Iterator<Item = String> {
    SALT.iter().flat_map(|(module, _, names)| names.split_whitespace().map(move |name| format!("{module}.{name}")))
}

#[test]
fn every_function_is_here_or_has_a_reason() {
    let excused = |name: &str| NOT_HERE.iter().any(|(not, _)| *not == name);
    let missing: Vec<String> = documented().filter(|name| Table.find(name).is_none() && !excused(name)).collect();
    assert!(missing.is_empty(), "neither here nor excused: {missing:?}");
    assert!(documented().count() > 270);
    for (name, reason) in NOT_HERE {
        assert!(Table.find(name).is_none(), "{name} is here: take it off the list");
        assert!(documented().any(|known| known == *name) && reason.len() > 20, "{name}");
    }
}

#[test]
fn every_function_of_them_has_an_example() {
    for name in documented() {
        let Some(function) = Table.find(&name) else { continue };
        assert!(
            function.doc.contains(&format!("{name} "))
                || function.doc.contains(&format!("{name}\n"))
                || function.doc.ends_with(&name),
            "{name} shows no example of itself"
        );
    }
}
