//! `http`: what a web server answers.

use std::{
    io::{Read, Write},
    path::PathBuf,
    time::Instant,
};

use serde::Deserialize;

use super::{
    cert::days_left,
    tcp::{connect, place, silence},
};
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds, tls};

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
    /// Whether a certificate must be one that this host trusts.
    #[serde(default = "yes")]
    verify: bool,
    /// A file of the authorities that count, instead of the system's.
    #[serde(default)]
    ca: Option<PathBuf>,
    /// Days that are left of the certificate.
    #[serde(default)]
    days_warning: Option<Range>,
    #[serde(default)]
    days_critical: Option<Range>,
    /// Seconds that it takes.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(try_from = "String")]
struct Url {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("url: {text:?} is no address; write http[s]://host[:port]/path");
        let (secure, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(wrong()),
        };
        let (place, path) =
            rest.split_once('/').map_or((rest, "/".to_owned()), |(place, path)| (place, format!("/{path}")));
        let (host, port) = match place.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')) {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (place, if secure { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let odd = |text: &str| text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control());
        if odd(&host) || host.contains(['?', '#', '@']) || odd(&path) {
            Err(wrong())
        } else {
            Ok(Self { secure, host, port, path })
        }
    }
}

impl Check for Http {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let begun = Instant::now();
        let answer = match self.ask(scene) {
            Ok(answer) => answer,
            Err(why) => return Ok(Found::new(Status::Critical, why)),
        };
        let took = begun.elapsed().as_secs_f64();
        let found = self.judge(&answer.bytes, took);
        Ok(match answer.certificate {
            Some(certificate) => self.judge_certificate(found, &certificate, answer.distrust),
            None => found,
        })
    }
}

/// What a server said, and the certificate that it showed.
#[derive(Default)]
struct Answer {
    bytes: Vec<u8>,
    certificate: Option<Vec<u8>>,
    distrust: Option<String>,
}

impl Http {
    fn ask(&self, scene: &Scene) -> Result<Answer, String> {
        let Url { secure, host, port, path } = &self.url;
        let at = |error: std::io::Error| format!("{}: {}", place(host, *port), silence(&error, scene.timeout));
        let mut answer = Answer::default();
        let socket = connect(host, *port, scene.timeout)?;
        let name = self.host.as_ref().unwrap_or(host);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: overstate\r\nConnection: close\r\n\r\n");
        let mut stream: Box<dyn Talk> = match secure {
            false => Box::new(socket),
            true => {
                let secured = tls::secure(socket, name, self.ca.as_ref(), scene.timeout)?;
                (answer.certificate, answer.distrust) = (Some(secured.certificate), secured.distrust);
                Box::new(secured.stream)
            }
        };
        stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).map_err(at)?;
        match stream.take(LIMIT).read_to_end(&mut answer.bytes) {
            // What was sent before a connection broke is an answer.
            Err(error) if answer.bytes.is_empty() => Err(at(error)),
            _ => Ok(answer),
        }
    }

    /// What the certificate adds to what was found.
    fn judge_certificate(&self, found: Found, certificate: &[u8], distrust: Option<String>) -> Found {
        let place = place(&self.url.host, self.url.port);
        let thresholds = Thresholds::or(self.days_warning.as_ref(), self.days_critical.as_ref(), ["21:", "7:"]);
        let days = days_left(certificate);
        let (status, words) = match (days, distrust) {
            (None, _) => (Status::Critical, format!("{place} shows a certificate that cannot be read")),
            (Some(days), _) if days < 0.0 => {
                (Status::Critical, format!("{place}: the certificate ended {:.0} days ago", -days))
            }
            (Some(_), Some(why)) if self.verify => {
                (Status::Critical, format!("{place}: the certificate is not trusted: {why}"))
            }
            (Some(days), _) => {
                let status = thresholds.judge(days);
                let why = thresholds.reason(status);
                (status, format!("{place}: the certificate ends in {:.0} days{why}", days.floor()))
            }
        };
        let mut found = found;
        if found.status.worse(status) != found.status {
            (found.status, found.output) = (status, words);
        }
        match days {
            Some(days) => found.with(Perf::new("days", (days * 10.0).round() / 10.0, "").judged(&thresholds)),
            None => found,
        }
    }

    fn judge(&self, answer: &[u8], took: f64) -> Found {
        let text = String::from_utf8_lossy(answer);
        let place = format!("{}{}", place(&self.url.host, self.url.port), self.url.path);
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

/// What can be spoken on.
trait Talk: Read + Write {}

impl<T: Read + Write> Talk for T {}

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
        assert_eq!(
            url("http://x:81/a?b").unwrap(),
            Url { secure: false, host: "x".into(), port: 81, path: "/a?b".into() }
        );
        assert_eq!(
            url("http://[::1]:81").unwrap(),
            Url { secure: false, host: "::1".into(), port: 81, path: "/".into() }
        );
        assert_eq!((url("http://x").unwrap().port, url("https://x/").unwrap().port), (80, 443));
        for bad in [
            "ftp://x/",
            "x",
            "http://",
            "http://x:y/",
            "http://x/a b",
            "http://x/\r\nA: b",
            "http://x?a",
            "http://u:p@x/",
        ] {
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

    #[test]
    fn a_server_is_asked_by_tls_and_its_certificate_judged() {
        let port = tls::tests::server(4, "HTTP/1.1 200 OK\r\n\r\nwelcome");
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &*tls::tests::CERTIFICATE).unwrap();
        let look = |more: serde_json::Value| {
            let mut options = serde_json::json!({"url": format!("https://localhost:{port}/"), "body": "welcome"});
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let http: Http = serde_json::from_value(options).unwrap();
            let timeout = std::time::Duration::from_secs(20);
            http.look(&Scene { offset: None, timeout, memory: None, drift: None }).unwrap()
        };
        let trusted = look(serde_json::json!({"ca": ca}));
        assert_eq!(trusted.status, Status::Ok, "{}", trusted.output);
        assert_eq!(trusted.perfdata.last().map(|perf| perf.label.as_str()), Some("days"));
        let stranger = look(serde_json::json!({}));
        assert_eq!((stranger.status, stranger.output.contains("not trusted")), (Status::Critical, true));
        assert_eq!(look(serde_json::json!({"verify": false})).status, Status::Ok);
        let short = look(serde_json::json!({"verify": false, "days_critical": "9999999:"}));
        assert_eq!((short.status, short.output.contains("ends in")), (Status::Critical, true), "{}", short.output);
    }
}
