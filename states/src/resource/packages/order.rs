//! Versions of packages: their order, and conditions of them.

/// Compares versions as Debian's policy has it; rpm's and apk's versions are ordered alike.
pub fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    let (epoch_a, rest_a) = epoch(a);
    let (epoch_b, rest_b) = epoch(b);
    let (up_a, rev_a) = rest_a.rsplit_once('-').unwrap_or((rest_a, ""));
    let (up_b, rev_b) = rest_b.rsplit_once('-').unwrap_or((rest_b, ""));
    epoch_a.cmp(&epoch_b).then_with(|| part(up_a, up_b)).then_with(|| part(rev_a, rev_b))
}

fn epoch(version: &str) -> (u64, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch.parse().unwrap_or(0), rest),
        _ => (0, version),
    }
}

/// Parts without digits and numbers in turn; `~` comes before everything, even the end.
fn part(mut a: &str, mut b: &str) -> std::cmp::Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => c as i32,
        Some(c) => c as i32 + 256,
    };
    loop {
        let text = |s: &str| s.find(|c: char| c.is_ascii_digit()).unwrap_or(s.len());
        let (at_a, at_b) = (text(a), text(b));
        let (mut left, mut right) = (a[..at_a].chars(), b[..at_b].chars());
        loop {
            let (x, y) = (left.next(), right.next());
            if x.is_none() && y.is_none() {
                break;
            }
            match weight(x).cmp(&weight(y)) {
                std::cmp::Ordering::Equal => {}
                other => return other,
            }
        }
        (a, b) = (&a[at_a..], &b[at_b..]);
        if a.is_empty() && b.is_empty() {
            return std::cmp::Ordering::Equal;
        }
        let digits = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        let (at_a, at_b) = (digits(a), digits(b));
        let number = |s: &str| s.trim_start_matches('0').to_owned();
        let (x, y) = (number(&a[..at_a]), number(&b[..at_b]));
        match x.len().cmp(&y.len()).then_with(|| x.cmp(&y)) {
            std::cmp::Ordering::Equal => (a, b) = (&a[at_a..], &b[at_b..]),
            other => return other,
        }
    }
}

/// Whether a version fulfils what a state asks for: `1.2`, `1.2*`, `>=1.2,<2`.
pub fn fulfils(version: &str, wanted: &str) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    wanted.split(',').map(str::trim).all(|condition| {
        let rest = condition.trim_start_matches(['<', '>', '=', '!']);
        let operator = &condition[..condition.len() - rest.len()];
        let rest = rest.trim();
        let ordering = compare(version, rest);
        match operator {
            ">=" => ordering != Less,
            "<=" => ordering != Greater,
            ">" => ordering == Greater,
            "<" => ordering == Less,
            "!=" | "<>" => ordering != Equal,
            _ if rest.contains('*') => crate::glob::matches(rest, version),
            _ => version == rest || ordering == Equal,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn versions_are_ordered_as_debian_orders_them() {
        for (less, more) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0a"),
            ("1:0.1", "2:0.0"),
            ("9", "1:0"),
            ("1.0-1", "1.0-2"),
            ("1.0a", "1.0+b"),
            ("1.2.5-r0", "1.2.5-r1"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} {less}");
        }
        assert_eq!(compare("1.00", "1.0"), Ordering::Equal);
        assert!(fulfils("1.5", ">=1.2,<2") && !fulfils("2.0", ">=1.2,<2") && fulfils("1.5-3", "1.5*"));
        assert!(fulfils("1.5", "1.5") && !fulfils("1.5", "1.6") && fulfils("1.5", "!=1.6"));
    }
}
