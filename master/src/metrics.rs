//! `GET /metrics`: what the master knows of itself and of its minions, for Prometheus and its like.
//!
//! In the OpenMetrics format for those who accept it, else in Prometheus' older text format, which
//! differs in where a counter has its `_total` and in the last line.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use proto::{
    checks::{CheckStatus, HostChecks},
    message::KeyState,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
    task::AbortHandle,
};

use crate::{checks, clock, server::Master};

/// Connections at once. Where there is no room for one more, the one that has been silent for longest is
/// hung up on: who reads metrics says so at once.
const MOST_CONNECTIONS: usize = 32;
/// How long a peer may take to say what it wants …
const SILENCE: Duration = Duration::from_secs(3);
/// … and in all, until it has taken it. There is one request a connection, so nobody holds a place for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// For so long, a page is good for all who ask: what it costs to make does not grow with them.
const FRESH: Duration = Duration::from_secs(1);
/// Checks that are not well of which each has a line of its own.
const MOST_UNWELL: usize = 10_000;

/// Serves metrics until the task is dropped. `store` is the store's folder.
pub async fn serve(listener: TcpListener, master: Arc<Master>, store: PathBuf) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let pages = Arc::new(Pages { master, store, made: Default::default() });
    let mut silent = Silent::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if room.available_permits() == 0 {
            silent.hang_up();
        }
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (pages, asked) = (pages.clone(), Arc::<AtomicBool>::default());
        let has_asked = asked.clone();
        let serving = tokio::spawn(async move {
            let answer = service_fn(move |request| {
                has_asked.store(true, Relaxed);
                let pages = pages.clone();
                async move { Ok::<_, Infallible>(answer(&request, pages).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(SILENCE)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            match tokio::time::timeout(PATIENCE, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "metrics"),
                Err(_) => tracing::debug!("metrics: a peer took too long"),
            }
            drop(permit);
        });
        silent.add(asked, serving.abort_handle());
    }
}

/// Connections that have not said what they want, the oldest first.
#[derive(Default)]
struct Silent(VecDeque<(Arc<AtomicBool>, AbortHandle)>);

impl Silent {
    fn add(&mut self, asked: Arc<AtomicBool>, serving: AbortHandle) {
        self.0.retain(|(asked, serving)| !asked.load(Relaxed) && !serving.is_finished());
        self.0.push_back((asked, serving));
    }

    /// Hangs up on the first of them.
    fn hang_up(&mut self) {
        while let Some((asked, serving)) = self.0.pop_front() {
            if !asked.load(Relaxed) && !serving.is_finished() {
                return serving.abort();
            }
        }
    }
}

async fn answer(request: &Request<Incoming>, pages: Arc<Pages>) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let format = Format::wanted(request.headers());
            match Pages::get(pages, format).await {
                Some(text) => (StatusCode::OK, format.content_type(), text),
                None => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Bytes::from_static(b"the log says why\n")),
            }
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::from_static(b"only GET\n")),
        _ => (StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"there is /metrics\n")),
    };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The page in both formats, as it was made last.
struct Pages {
    master: Arc<Master>,
    store: PathBuf,
    made: [Mutex<Option<(Instant, Bytes)>>; 2],
}

impl Pages {
    /// Makes it, unless it is fresh; who asks meanwhile waits for the same one. Goes on where the one who
    /// asked is gone: others need not begin anew. `None` if it panicked.
    async fn get(pages: Arc<Self>, format: Format) -> Option<Bytes> {
        let making = async move {
            let mut made = pages.made[format as usize].lock().await;
            if let Some((at, text)) = &*made
                && at.elapsed() < FRESH
            {
                return Some(text.clone());
            }
            let all = pages.clone();
            // Counting takes a while where many checks are not well, and jobs must not wait for it.
            let text = tokio::task::spawn_blocking(move || text(&all.master, &all.store, format)).await.ok()?;
            let text = Bytes::from(text);
            *made = Some((Instant::now(), text.clone()));
            Some(text)
        };
        tokio::spawn(making).await.ok().flatten()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    fn wanted(headers: &HeaderMap) -> Self {
        let accepts =
            |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("application/openmetrics-text"));
        if headers.get_all(ACCEPT).iter().any(accepts) { Self::OpenMetrics } else { Self::Prometheus }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Metrics as text, family by family.
struct Page {
    format: Format,
    text: String,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// A family whose values go up and down.
    fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        Family { page: self, name: name.to_owned() }
    }

    /// A family whose values only grow; `name` is without `_total`.
    fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        let sample = format!("{name}_total");
        let family = if self.format == Format::OpenMetrics { name } else { &sample };
        let _ = write!(self.text, "# HELP {family} {help}\n# TYPE {family} counter\n");
        Family { page: self, name: sample }
    }

    fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

struct Family<'a> {
    page: &'a mut Page,
    name: String,
}

impl Family<'_> {
    fn value(self, value: impl std::fmt::Display) {
        let _ = writeln!(self.page.text, "{} {value}", self.name);
    }

    fn with(&mut self, labels: Labels<'_>, value: impl std::fmt::Display) -> &mut Self {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.page.text, "{}{{{}}} {value}", self.name, pairs.join(","));
        self
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(master: &Master, store: &std::path::Path, format: Format) -> String {
    let mut page = Page { format, text: String::new() };
    page.gauge("overstate_build_info", "The master's version.").with(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("overstate_uptime_seconds", "Seconds since the master began.").value(master.started.elapsed().as_secs());
    presence(&mut page, master);
    work(&mut page, master, store);
    refusals(&mut page, master);
    health(&mut page, &master.checks.counts(), &master.checks.of_own(), master.checks.unwell());
    page.end()
}

fn presence(page: &mut Page, master: &Master) {
    let (minions, connected) = master.fleet.counts();
    page.gauge("overstate_minions", "Minions whose keys are accepted, by whether they are connected.")
        .with(&[("state", "connected")], connected)
        .with(&[("state", "absent")], minions - connected.min(minions));
    let keys = master.keys.list();
    let mut family = page.gauge("overstate_keys", "Keys of minions by their state.");
    let states = [("accepted", KeyState::Accepted), ("pending", KeyState::Pending), ("rejected", KeyState::Rejected)];
    for (word, state) in states {
        family.with(&[("state", word)], keys.iter().filter(|row| row.state == state).count());
    }
}

fn work(page: &mut Page, master: &Master, store: &std::path::Path) {
    let (jobs, pairs) = master.jobs.load_now();
    page.gauge("overstate_open_jobs", "Jobs of which not all minions have ended.").value(jobs);
    page.gauge("overstate_open_pairs", "Pairs of a job and a minion that have not ended.").value(pairs);
    let mut ends = page.counter("overstate_ends", "Pairs of a job and a minion that ended since the master began.");
    for (outcome, count) in master.jobs.ended() {
        ends.with(&[("outcome", outcome.as_str())], count);
    }
    page.counter("overstate_jobs", "Jobs that were recorded since the master began.").value(master.jobs.recorded());
    page.gauge("overstate_orchestrations", "Orchestrations under way.").value(master.orchestrations.count());
    let (queued, most) = master.store.queued();
    page.gauge("overstate_store_queue", "Writes that wait for the store.").value(queued);
    page.gauge("overstate_store_queue_limit", "Writes that may wait before their senders do.").value(most);
    page.gauge("overstate_store_bytes", "Size of the store's files in bytes.").value(checks::size_of(store));
    let free = master.return_pool.available_permits();
    page.gauge("overstate_return_pool_free_bytes", "Memory that large returns may still take.").value(free);
    let (lag, _) = master.events.lag();
    page.gauge("overstate_event_lag", "Events that the slowest listener is behind.").value(lag);
}

fn refusals(page: &mut Page, master: &Master) {
    page.counter("overstate_sessions", "Sessions that were made with minions and operators.")
        .value(master.counters.accepted());
    let mut family = page.counter("overstate_refused", "What was refused before and within sessions, by reason.");
    for (reason, count) in master.counters.all().skip(1) {
        family.with(&[("reason", reason)], count);
    }
}

fn health(page: &mut Page, counts: &[u64; 4], own: &HostChecks, (hosts, unwell): (usize, Vec<HostChecks>)) {
    let mut family = page.gauge("overstate_checks", "Checks of all minions by status.");
    for (status, count) in CheckStatus::ALL.iter().zip(counts) {
        family.with(&[("status", status.as_str())], count);
    }
    page.gauge("overstate_unwell_minions", "Minions with a check that is not ok.").value(hosts);
    let help = "Checks that are not ok, and all of the master itself: 0 ok, 1 warning, 2 critical, 3 unknown.";
    let mut family = page.gauge("overstate_check_status", help);
    let of_own = own.rows.iter().map(|row| (own, row));
    // A minion that is called as the master is would be a second sample of the same name.
    let others = unwell.iter().filter(|host| host.id != own.id);
    let of_others = others.flat_map(|host| host.rows.iter().map(move |row| (host, row)));
    let bad = of_others.filter(|(_, row)| row.status != CheckStatus::Ok).take(MOST_UNWELL);
    for (host, row) in of_own.chain(bad) {
        family.with(&[("id", host.id.as_str()), ("check", &row.name)], row.status as u8);
    }
    let now = clock::now();
    let oldest = unwell.iter().filter_map(|host| host.confirmed).min().map_or(0, |at| now.saturating_sub(at));
    page.gauge("overstate_checks_oldest_seconds", "Age of the oldest word from a minion with a check that is not ok.")
        .value(oldest / 1_000_000);
}

#[cfg(test)]
mod tests {
    use proto::checks::{CheckRow, Presence};

    use super::*;

    fn page(format: Format) -> String {
        let row = |name: &str, status| CheckRow {
            name: name.into(),
            status,
            flapping: false,
            output: "o".into(),
            since: 1,
            at: 2,
            interval: 30,
        };
        let host = |id: &str, rows| HostChecks {
            id: id.parse().unwrap(),
            master: false,
            presence: Presence::Here,
            confirmed: None,
            rows,
        };
        let own = host("h_master", vec![row("disk", CheckStatus::Ok)]);
        let web = host("web1", vec![row("a\"b\\c", CheckStatus::Critical), row("load", CheckStatus::Ok)]);
        let mut page = Page { format, text: String::new() };
        let namesake = host("h_master", vec![row("disk", CheckStatus::Warning)]);
        health(&mut page, &[5, 0, 1, 0], &own, (2, vec![namesake, web]));
        page.counter("overstate_jobs", "Jobs.").value(3);
        page.end()
    }

    #[test]
    fn a_check_that_is_not_well_has_a_line_and_names_are_escaped() {
        let text = page(Format::OpenMetrics);
        assert!(text.contains("overstate_checks{status=\"critical\"} 1\n"), "{text}");
        assert!(text.contains("overstate_check_status{id=\"web1\",check=\"a\\\"b\\\\c\"} 2\n"), "{text}");
        assert!(text.contains("overstate_check_status{id=\"h_master\",check=\"disk\"} 0\n"), "{text}");
        assert!(!text.contains("load"), "{text}");
        assert!(text.contains("overstate_unwell_minions 2\n"), "{text}");
        assert_eq!(text.matches("{id=\"h_master\",check=\"disk\"}").count(), 1, "{text}");
    }

    #[test]
    fn the_two_formats_differ_in_counters_and_the_last_line() {
        let (open, old) = (page(Format::OpenMetrics), page(Format::Prometheus));
        assert!(open.contains("# TYPE overstate_jobs counter\noverstate_jobs_total 3\n# EOF\n"), "{open}");
        assert!(old.ends_with("# TYPE overstate_jobs_total counter\noverstate_jobs_total 3\n"), "{old}");
        let mut headers = HeaderMap::new();
        assert_eq!(Format::wanted(&headers), Format::Prometheus);
        headers.insert(ACCEPT, HeaderValue::from_static("application/openmetrics-text;version=1.0.0,text/plain;q=0.3"));
        assert_eq!(Format::wanted(&headers), Format::OpenMetrics);
    }
}
