//! `http`: what a web server answers.

use std::{
    io::{Read, Write},
    time::Instant,
};

use serde::Deserialize;

use super::tcp::connect;
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

/// What is read of an answer.
const LIMIT: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    url: Url,
    /// The status that is expected; without it, all below 400 are well.
    #[serde(default)]
    status: Option<u16>,
    /// A text that the answer has in it.
    #[serde(default)]
    body: Option<String>,
    /// The name that is asked for, if it is not the address's.
    #[serde(default)]
    host: Option<String>,
    /// Seconds that it takes.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(try_from = "String")]
struct Url {
    host: String,
    port: u16,
    path: String,
}

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("https:// cannot be checked yet; use a plugin such as check_http -S".into());
        }
        let wrong = || format!("url: {text:?} is no address; write http://host[:port]/path");
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let (place, path) =
            rest.split_once('/').map_or((rest, "/".to_owned()), |(place, path)| (place, format!("/{path}")));
        let (host, port) = match place.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')) {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (place, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let odd = |text: &str| text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control());
        if odd(&host) || odd(&path) { Err(wrong()) } else { Ok(Self { host, port, path }) }
    }
}

impl Check for Http {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let begun = Instant::now();
        let answer = match self.ask(scene) {
            Ok(answer) => answer,
            Err(why) => return Ok(Found::new(Status::Critical, why)),
        };
        Ok(self.judge(&answer, begun.elapsed().as_secs_f64()))
    }
}

impl Http {
    fn ask(&self, scene: &Scene) -> Result<Vec<u8>, String> {
        let Url { host, port, path } = &self.url;
        let at = |error: std::io::Error| format!("{host}:{port}: {error}");
        let mut stream = connect(host, *port, scene.timeout)?;
        let name = self.host.as_ref().unwrap_or(host);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: overstate\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(at)?;
        let mut answer = Vec::new();
        match stream.take(LIMIT).read_to_end(&mut answer) {
            // What was sent before a connection broke is an answer.
            Err(error) if answer.is_empty() => Err(at(error)),
            _ => Ok(answer),
        }
    }

    fn judge(&self, answer: &[u8], took: f64) -> Found {
        let text = String::from_utf8_lossy(answer);
        let place = format!("{}:{}{}", self.url.host, self.url.port, self.url.path);
        let first = text.lines().next().unwrap_or_default();
        let code = first.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1)?.parse::<u16>().ok());
        let Some(code) = code else { return Found::new(Status::Critical, format!("{place}: this is no web server")) };
        let thresholds = Thresholds::new(self.warning.as_ref(), self.critical.as_ref());
        let by_time = thresholds.judge(took);
        let (status, output) = match (self.status, code) {
            (Some(wanted), code) if wanted != code => {
                (Status::Critical, format!("{place} answers {code}, not {wanted}"))
            }
            (None, 500..) => (Status::Critical, format!("{place} answers {code}")),
            (None, 400..) => (Status::Warning, format!("{place} answers {code}")),
            _ if self.body.as_ref().is_some_and(|wanted| !body(&text).contains(wanted.as_str())) => {
                (Status::Critical, format!("{place} answers without the text that is expected"))
            }
            _ if by_time != Status::Ok => (by_time, format!("{place} answers slowly{}", thresholds.reason(by_time))),
            _ => (Status::Ok, format!("{place} answers {code}")),
        };
        let time = Perf { min: Some(0.0), ..Perf::new("time", took, "s").judged(&thresholds) };
        Found::new(status, output).with(time).with(Perf::new("size", answer.len() as f64, "B"))
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &str) -> Http {
        serde_json::from_str(options).unwrap()
    }

    #[test]
    fn addresses_are_read() {
        let url = |text: &str| Url::try_from(text.to_owned());
        assert_eq!(url("http://x:81/a?b").unwrap(), Url { host: "x".into(), port: 81, path: "/a?b".into() });
        assert_eq!(url("http://[::1]:81").unwrap(), Url { host: "::1".into(), port: 81, path: "/".into() });
        assert_eq!(url("http://x").unwrap().port, 80);
        for bad in ["https://x/", "x", "http://", "http://x:y/", "http://x/a b", "http://x/\r\nA: b"] {
            assert!(url(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn status_body_and_time_are_judged() {
        let answer = b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nnothing here";
        let judge = |options: &str| check(options).judge(answer, 0.5).status;
        assert_eq!(judge(r#"{"url": "http://x/"}"#), Status::Warning);
        assert_eq!(judge(r#"{"url": "http://x/", "status": 404}"#), Status::Ok);
        assert_eq!(judge(r#"{"url": "http://x/", "status": 200}"#), Status::Critical);
        assert_eq!(judge(r#"{"url": "http://x/", "status": 404, "body": "here"}"#), Status::Ok);
        assert_eq!(judge(r#"{"url": "http://x/", "status": 404, "body": "A: b"}"#), Status::Critical);
        assert_eq!(judge(r#"{"url": "http://x/", "status": 404, "warning": 0.1}"#), Status::Warning);
        assert_eq!(check(r#"{"url": "http://x/"}"#).judge(b"SSH-2.0", 0.1).status, Status::Critical);
    }
}
