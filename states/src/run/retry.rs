//! `retry`: how often a state that failed is tried again.

use std::time::Duration;

use proto::Value;

/// Salt's settings with its defaults; a value of another type falls back to the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The result that ends it.
    pub until: bool,
    pub attempts: i64,
    /// Seconds.
    pub interval: u64,
    /// At most this many seconds more, by chance.
    pub splay: u64,
}

const DEFAULT: Retry = Retry { until: true, attempts: 2, interval: 30, splay: 0 };

impl Retry {
    pub fn parse(value: &Value) -> Self {
        let Value::Object(map) = value else {
            return match value {
                Value::Bool(false) => Self { attempts: 0, ..DEFAULT },
                _ => DEFAULT,
            };
        };
        let seconds = |key: &str, default: u64| map.get(key).and_then(Value::as_u64).unwrap_or(default);
        Self {
            until: map.get("until").and_then(Value::as_bool).unwrap_or(DEFAULT.until),
            attempts: map.get("attempts").and_then(Value::as_i64).unwrap_or(DEFAULT.attempts),
            interval: seconds("interval", DEFAULT.interval),
            splay: seconds("splay", DEFAULT.splay),
        }
    }

    /// How long to wait before the next attempt.
    pub fn pause(&self) -> Duration {
        let splay = if self.splay == 0 { 0 } else { rand::random_range(0..=self.splay) };
        Duration::from_secs(self.interval + splay)
    }

    /// What a dry run says of it.
    pub fn sentence(&self) -> String {
        format!(
            "The state would be retried every {} seconds (with a splay of up to {} seconds) a maximum of {} times or \
             until a result of {} is returned",
            self.interval,
            self.splay,
            self.attempts,
            if self.until { "True" } else { "False" }
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_where_a_setting_is_missing_or_of_another_type() {
        assert_eq!(Retry::parse(&json!(true)), DEFAULT);
        assert_eq!(Retry::parse(&json!(false)).attempts, 0);
        let some = Retry::parse(&json!({"attempts": 5, "interval": "x", "until": false}));
        assert_eq!(some, Retry { until: false, attempts: 5, interval: 30, splay: 0 });
        assert_eq!(some.pause(), Duration::from_secs(30));
    }
}
