//! State functions that take no other arguments than their own: those whose signature in Salt 3008 has
//! no `**kwargs`.

const STRICT: [&str; 63] = [
    "alias.absent",
    "alias.present",
    "at.present",
    "cron.env_absent",
    "cron.env_present",
    "cron.present",
    "environ.setenv",
    "event.wait",
    "file.append",
    "file.blockreplace",
    "file.comment",
    "file.keyvalue",
    "file.line",
    "file.prepend",
    "file.replace",
    "file.touch",
    "file.uncomment",
    "git.cloned",
    "git.present",
    "grains.absent",
    "grains.append",
    "grains.exists",
    "grains.list_absent",
    "grains.list_present",
    "grains.present",
    "group.absent",
    "group.present",
    "host.absent",
    "host.only",
    "host.present",
    "ini.options_absent",
    "ini.options_present",
    "ini.sections_absent",
    "ini.sections_present",
    "iptables.chain_absent",
    "iptables.chain_present",
    "kmod.absent",
    "kmod.present",
    "locale.present",
    "locale.system",
    "mount.swap",
    "pip.removed",
    "postgres_database.absent",
    "postgres_database.present",
    "postgres_extension.absent",
    "postgres_extension.present",
    "postgres_group.absent",
    "postgres_group.present",
    "postgres_schema.absent",
    "postgres_schema.present",
    "postgres_user.absent",
    "postgres_user.present",
    "service.masked",
    "service.unmasked",
    "ssh_auth.absent",
    "ssh_known_hosts.absent",
    "ssh_known_hosts.present",
    "sysctl.present",
    "test.check_pillar",
    "test.configurable_test_state",
    "timezone.system",
    "user.absent",
    "user.present",
];

/// Whether a state function (`file.managed`) may be given arguments that it does not know.
pub fn takes_any(full: &str) -> bool {
    STRICT.binary_search(&full).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_functions_of_ours_in_their_order() {
        assert!(STRICT.is_sorted());
        for full in STRICT {
            let known = full.split_once('.').and_then(|(module, fun)| crate::modules::state(module, fun));
            assert!(known.is_some(), "{full}");
        }
        assert!(takes_any("file.managed") && !takes_any("file.touch"));
    }
}
