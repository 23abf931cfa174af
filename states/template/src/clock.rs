//! The time on the wall, without a walk through every time zone that there is.

use std::sync::LazyLock;

use jiff::{Timestamp, Zoned, tz::TimeZone};

/// The zone of this host. Its name is not asked for: to find that, all names of the system are read.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
    let file = match std::env::var_os("TZ") {
        None => std::fs::read("/etc/localtime").ok(),
        Some(_) => None,
    };
    file.and_then(|bytes| TimeZone::tzif("Local", &bytes).ok()).unwrap_or_else(TimeZone::system)
});

/// Now, in the zone that this host had when this process asked first.
pub fn now() -> Zoned {
    Timestamp::now().to_zoned(ZONE.clone())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_time_of_the_system() {
        let (ours, system) = (super::now(), jiff::Zoned::now());
        assert_eq!(ours.offset(), system.offset());
        assert_eq!(ours.strftime("%Z").to_string(), system.strftime("%Z").to_string());
    }
}
