//! How much of what minions returned a stage's row holds: each return is in the store as its job's,
//! a row is kept, sent and shown as a whole.

use proto::{Map, Value};
use states::run::{Results, Row};

/// What the returns in one row may take, in bytes.
const ROW: usize = 1 << 20;
/// What all rows of an orchestration may take together: they travel in one message.
const ROWS: usize = 8 << 20;

/// About how many bytes a value takes as JSON.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| 1 + weight(item)).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + 4 + weight(value)).sum::<usize>() + 2,
        _ => 8,
    }
}

/// Cuts returns by minion down to what a row may hold, the largest first.
pub fn fit(returns: &mut Map) {
    fit_into(returns, ROW);
}

fn fit_into(returns: &mut Map, most: usize) {
    let mut weights: Vec<(usize, String)> = returns.iter().map(|(name, value)| (weight(value), name.clone())).collect();
    let mut total: usize = weights.iter().map(|(weight, name)| weight + name.len()).sum();
    weights.sort_unstable_by(|a, b| b.cmp(a));
    for (weight, name) in weights {
        if total <= most {
            return;
        }
        let note = Value::String(format!("left out here, {weight} bytes: `ctl job show` of the stage's job has it"));
        total = total.saturating_sub(weight) + self::weight(&note);
        returns.insert(name, note);
    }
}

/// Cuts the rows of a whole orchestration down to what one message may hold: the more rows there
/// are, the less each of them.
pub fn fit_all(results: &mut Results) {
    let share = share(results.len());
    results.values_mut().for_each(|(_, row)| fit_row(row, share));
}

/// Cuts one row down to so many bytes of changes.
pub fn fit_row(row: &mut Row, most: usize) {
    let total: usize = row.changes.values().map(weight).sum();
    if total <= most {
        return;
    }
    if let Some(Value::Object(returns)) = row.changes.get_mut("ret") {
        fit_into(returns, most);
    }
    if row.changes.values().map(weight).sum::<usize>() > most {
        let note = format!("left out here, {total} bytes: `ctl job show` of the stage's job has them");
        row.changes = Map::from_iter([("ret".to_owned(), note.into())]);
    }
}

/// How many bytes of changes each of so many rows may have.
pub fn share(rows: usize) -> usize {
    (ROWS / rows.max(1)).max(4096)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_largest_returns_go_first_and_are_named() {
        let big = "x".repeat(ROW);
        let mut returns = json!({"a": "small", "b": big, "c": [1, 2]}).as_object().cloned().unwrap();
        fit(&mut returns);
        assert_eq!((&returns["a"], &returns["c"]), (&json!("small"), &json!([1, 2])));
        assert!(returns["b"].as_str().unwrap().starts_with(&format!("left out here, {} bytes", ROW + 2)));
        let same = returns.clone();
        fit(&mut returns);
        assert_eq!(returns, same);
    }

    #[test]
    fn a_row_of_many_minions_has_a_bound_too() {
        let returns: Map = (0..5_000).map(|n| (format!("minion{n}"), json!("y".repeat(100)))).collect();
        let changes = Map::from_iter([("ret".to_owned(), Value::Object(returns))]);
        let mut row = Row { changes, ..Row::default() };
        fit_row(&mut row, 4096);
        assert!(row.changes.values().map(weight).sum::<usize>() <= 4096, "{:?}", row.changes);
        assert!(weight(&json!({"a": [true, "bc"]})) >= 13);
    }
}
