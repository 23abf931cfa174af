//! `cert`: how long a certificate holds, in a file or as a server shows it.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use super::{
    plain, plain_file,
    tcp::{connect, place},
};
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds, tls};

/// What is read of a file: more than all authorities of a system.
const LIMIT: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cert {
    /// A file in PEM or DER; of several certificates the first to end counts.
    #[serde(default)]
    path: Option<String>,
    /// Or a server that speaks TLS, whose own certificate counts.
    #[serde(default)]
    host: Option<String>,
    #[serde(default = "https")]
    port: u16,
    /// The name that the server is asked for, and whose certificate it must be.
    #[serde(default)]
    name: Option<String>,
    /// Whether a certificate that this host does not trust is critical.
    #[serde(default)]
    verify: bool,
    /// A file of the authorities that count, instead of the system's.
    #[serde(default)]
    ca: Option<PathBuf>,
    /// Days that are left.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

fn https() -> u16 {
    443
}

impl Check for Cert {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        match (&self.path, &self.host) {
            (Some(path), None) => {
                let mut bytes = Vec::new();
                let read = plain_file(Path::new(path))?.take(LIMIT).read_to_end(&mut bytes);
                read.map_err(|error| format!("{path}: {}", plain(&error)))?;
                let ends: Option<Vec<i64>> = certificates(&bytes).iter().map(|der| end_of(der)).collect();
                let end = ends.and_then(|ends| ends.into_iter().min());
                let end = end.ok_or_else(|| format!("{path} has no certificate that can be read"))?;
                Ok(self.judge(path, days_until(end), None))
            }
            (None, Some(host)) => Ok(self.ask(host, scene)),
            _ => Err("cert: either path or host must be given".into()),
        }
    }
}

/// Days from now.
fn days_until(end: i64) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    (end - now) as f64 / 86400.0
}

/// Days until a certificate in DER ends.
pub fn days_left(der: &[u8]) -> Option<f64> {
    end_of(der).map(days_until)
}

impl Cert {
    fn ask(&self, host: &str, scene: &Scene) -> Found {
        let place = place(host, self.port);
        let name = self.name.as_deref().unwrap_or(host);
        let shaken = connect(host, self.port, scene.timeout)
            .and_then(|socket| tls::secure(socket, name, self.ca.as_ref(), scene.timeout));
        match shaken {
            Err(why) => Found::new(Status::Critical, why),
            Ok(secured) => match days_left(&secured.certificate) {
                Some(days) => self.judge(&place, days, secured.distrust),
                None => Found::new(Status::Critical, format!("{place} shows a certificate that cannot be read")),
            },
        }
    }

    fn judge(&self, what: &str, days: f64, distrust: Option<String>) -> Found {
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["21:", "7:"]);
        let status = if days < 0.0 { Status::Critical } else { thresholds.judge(days) };
        let output = match days < 0.0 {
            true => format!("{what} ended {:.0} days ago", -days),
            false => format!("{what} ends in {:.0} days{}", days.floor(), thresholds.reason(status)),
        };
        let (status, output) = match distrust {
            None => (status, output),
            Some(why) if self.verify => (Status::Critical, format!("{output}; not trusted: {why}")),
            Some(why) => (status, format!("{output} (not trusted: {why})")),
        };
        Found::new(status, output).with(Perf::new("days", (days * 10.0).round() / 10.0, "").judged(&thresholds))
    }
}

/// The certificates of a file in DER.
fn certificates(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let found: Vec<Vec<u8>> = blocks
        .filter_map(|block| {
            let inside: String = block.split("-----END").next()?.split_whitespace().collect();
            states::base64::decode(&inside)
        })
        .collect();
    if found.is_empty() { vec![bytes.to_vec()] } else { found }
}

/// One element of DER: its tag, what is in it, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((tag, inside, rest))
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When a certificate ends, in seconds since 1970 (RFC 5280: certificate, what is signed of it:
/// version, number, algorithm, issuer, validity).
fn end_of(der: &[u8]) -> Option<i64> {
    let (SEQUENCE, certificate, _) = element(der)? else { return None };
    let (SEQUENCE, mut signed, _) = element(certificate)? else { return None };
    if let (VERSION, _, rest) = element(signed)? {
        signed = rest;
    }
    for _ in ["number", "algorithm", "issuer"] {
        (_, _, signed) = element(signed)?;
    }
    let (SEQUENCE, validity, _) = element(signed)? else { return None };
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    let text = std::str::from_utf8(time).ok()?;
    let digits = text.strip_suffix('Z').filter(|digits| digits.chars().all(|c| c.is_ascii_digit()))?;
    let full = match (tag, digits.len()) {
        (UTC_TIME, 12) if &digits[..2] < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let number = |from: usize, to: usize| full[from..to].parse::<i8>().ok();
    let time = DateTime::new(
        full[..4].parse().ok()?,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
        0,
    );
    Some(time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with nothing in it but its times.
    fn made(tag: u8, time: &str) -> Vec<u8> {
        let wrap = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8], inside].concat();
        let validity = [wrap(UTC_TIME, b"200101000000Z"), wrap(tag, time.as_bytes())].concat();
        let fields = [
            wrap(VERSION, &[2, 1, 2]),
            wrap(2, &[7]),
            wrap(SEQUENCE, &[]),
            wrap(SEQUENCE, &[]),
            wrap(SEQUENCE, &validity),
        ];
        wrap(SEQUENCE, &wrap(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms() {
        assert_eq!(end_of(&made(UTC_TIME, "261121000000Z")), Some(1_795_219_200));
        assert_eq!(end_of(&made(GENERALIZED_TIME, "20510101000000Z")), Some(2_556_144_000));
        assert_eq!(end_of(&made(UTC_TIME, "991121000000Z")), Some(943_142_400));
        for bad in ["261321000000Z", "2611210000Z", "26112100000xZ", "261121000000"] {
            assert_eq!(end_of(&made(UTC_TIME, bad)), None, "{bad}");
        }
        let whole = made(UTC_TIME, "261121000000Z");
        for cut in 0..whole.len() {
            assert_eq!(end_of(&whole[..cut]), None);
        }
    }

    #[test]
    fn days_that_are_left_are_judged() {
        let cert: Cert = serde_json::from_str(r#"{"path": "x"}"#).unwrap();
        let statuses = [30.0, 20.0, 6.9, -1.0].map(|days| cert.judge("x", days, None).status);
        assert_eq!(statuses, [Status::Ok, Status::Warning, Status::Critical, Status::Critical]);
    }

    #[test]
    fn a_server_is_asked_for_its_certificate_trusted_or_not() {
        use std::time::Duration;
        let port = tls::tests::server(2, "");
        let scene = Scene { offset: None, timeout: Duration::from_secs(20), memory: None, drift: None };
        let look = |verify: bool| {
            let options = serde_json::json!({"host": "localhost", "port": port, "verify": verify});
            let cert: Cert = serde_json::from_value(options).unwrap();
            cert.look(&scene).unwrap()
        };
        let (lax, strict) = (look(false), look(true));
        assert_eq!((lax.status, strict.status), (Status::Ok, Status::Critical), "{}", lax.output);
        assert!(lax.output.contains("not trusted") && lax.perfdata[0].value > Some(1000.0), "{}", lax.output);
    }

    #[test]
    fn a_file_or_a_server_but_not_both() {
        let scene = Scene { offset: None, timeout: std::time::Duration::ZERO, memory: None, drift: None };
        for options in [r#"{}"#, r#"{"path": "x", "host": "y"}"#] {
            let cert: Cert = serde_json::from_str(options).unwrap();
            assert!(cert.look(&scene).unwrap_err().contains("either path or host"));
        }
    }
}
