//! The kernel's tables as Salt's mappings.

use proto::{Map, Value};
use serde_json::json;

/// A number where the text is one.
pub fn number(text: &str) -> Value {
    match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) if number.is_finite() => number.into(),
        _ => text.into(),
    }
}

fn at(words: &[&str], index: usize) -> Value {
    words.get(index).map_or(Value::Null, |word| number(word))
}

/// Names with the columns they stand in.
fn columns(words: &[&str], names: &[(&str, usize)]) -> Map {
    names.iter().map(|&(name, index)| (name.to_owned(), at(words, index))).collect()
}

fn rows<'a>(text: &'a str) -> impl Iterator<Item = Vec<&'a str>> + 'a {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

/// The last processor's entries win, as in Salt.
pub fn cpuinfo(text: &str) -> Value {
    let mut all = Map::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.split(':').next().unwrap_or_default().trim();
        let value = match name.trim() {
            "flags" => value.split_whitespace().collect(),
            _ => Value::from(value),
        };
        all.insert(name.trim().to_owned(), value);
    }
    all.into()
}

pub fn cpustats(text: &str) -> Value {
    const CPU: [(&str, usize); 8] =
        [("idle", 4), ("iowait", 5), ("irq", 6), ("nice", 2), ("softirq", 7), ("steal", 8), ("system", 3), ("user", 1)];
    let row = |words: Vec<&str>| {
        let rest: Vec<Value> = words.iter().skip(2).map(|word| number(word)).collect();
        let value = match words[0] {
            "cpu" => columns(&words, &CPU).into(),
            "intr" => json!({"total": at(&words, 1), "irqs": rest}),
            "softirq" => json!({"total": at(&words, 1), "softirqs": rest}),
            _ => at(&words, 1),
        };
        (words[0].to_owned(), value)
    };
    rows(text).map(row).collect::<Map>().into()
}

pub fn meminfo(text: &str) -> Value {
    let row = |words: Vec<&str>| {
        let mut value = json!({"value": words.get(1)});
        if let Some(unit) = words.get(2) {
            value["unit"] = (*unit).into();
        }
        (words[0].replace(':', ""), value)
    };
    rows(text).map(row).collect::<Map>().into()
}

pub fn vmstats(text: &str) -> Value {
    rows(text).map(|words| (words[0].to_owned(), at(&words, 1))).collect::<Map>().into()
}

pub fn diskstats(text: &str) -> Value {
    const DISK: [(&str, usize); 14] = [
        ("major", 0),
        ("minor", 1),
        ("device", 2),
        ("reads_issued", 3),
        ("reads_merged", 4),
        ("sectors_read", 5),
        ("ms_spent_reading", 6),
        ("writes_completed", 7),
        ("writes_merged", 8),
        ("sectors_written", 9),
        ("ms_spent_writing", 10),
        ("io_in_progress", 11),
        ("ms_spent_in_io", 12),
        ("weighted_ms_spent_in_io", 13),
    ];
    let row = |words: Vec<&str>| Some((words.get(2)?.to_string(), columns(&words, &DISK).into()));
    rows(text).filter_map(row).collect::<Map>().into()
}

pub fn netdev(text: &str) -> Value {
    const DEVICE: [(&str, usize); 16] = [
        ("rx_bytes", 0),
        ("rx_compressed", 6),
        ("rx_drop", 3),
        ("rx_errs", 2),
        ("rx_fifo", 4),
        ("rx_frame", 5),
        ("rx_multicast", 7),
        ("rx_packets", 1),
        ("tx_bytes", 8),
        ("tx_carrier", 14),
        ("tx_colls", 13),
        ("tx_compressed", 15),
        ("tx_drop", 11),
        ("tx_errs", 10),
        ("tx_fifo", 12),
        ("tx_packets", 9),
    ];
    let row = |(name, counters): (&str, &str)| {
        let words: Vec<&str> = counters.split_whitespace().collect();
        let mut value = json!({"iface": name.trim()});
        if let Value::Object(map) = &mut value {
            map.extend(columns(&words, &DEVICE));
        }
        (name.trim().to_owned(), value)
    };
    text.lines().filter_map(|line| line.split_once(':')).map(row).collect::<Map>().into()
}

/// Lines come in pairs: names, then numbers.
pub fn netstats(text: &str) -> Value {
    let mut all = Map::new();
    let mut names: Vec<&str> = Vec::new();
    for words in rows(text) {
        if names.first() == words.first() {
            let row = names.iter().zip(&words).skip(1).map(|(name, word)| ((*name).to_owned(), number(word)));
            all.insert(words[0].replace(':', ""), Value::Object(row.collect()));
        } else {
            names = words;
        }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_salts_shapes() {
        assert_eq!(
            meminfo("MemTotal: 24 kB\nHugePages: 0\n"),
            json!({"MemTotal": {"value": "24", "unit": "kB"}, "HugePages": {"value": "0"}})
        );
        let stat = cpustats("cpu 1 2 3 4 5 6 7 8 9\ncpu0 9 1\nintr 5 1 2\nctxt 77\n");
        assert_eq!(
            stat["cpu"],
            json!({"idle": 4, "iowait": 5, "irq": 6, "nice": 2, "softirq": 7, "steal": 8, "system": 3, "user": 1})
        );
        assert_eq!((&stat["cpu0"], &stat["intr"]), (&json!(9), &json!({"total": 5, "irqs": [1, 2]})));
        assert_eq!(netstats("T: a b\nT: 1 2\nI: c\nI: 3\n"), json!({"T": {"a": 1, "b": 2}, "I": {"c": 3}}));
        let dev = netdev("Inter-| Receive\n lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
        assert_eq!(
            (&dev["lo"]["iface"], &dev["lo"]["tx_bytes"], &dev["lo"]["tx_carrier"]),
            (&json!("lo"), &json!(9), &json!(15))
        );
        assert_eq!(cpuinfo("flags : a b\nmodel name: x: y\n\n"), json!({"flags": ["a", "b"], "model name": "x"}));
    }
}
