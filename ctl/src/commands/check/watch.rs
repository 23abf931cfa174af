//! `ctl check --watch`: what the master knows of the checks, and what changes, until Ctrl-C.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, kill},
    unistd::Pid,
};
use proto::{checks::CheckPage, message::Query};
use tokio::signal::unix::{Signal, SignalKind};

use super::{
    Args, UNKNOWN, for_people,
    picture::{Asked, Picture},
    render, room,
};
use crate::{
    canvas::Canvas,
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{
        Format,
        checks::{self, Report, Room},
    },
    term, times,
};

/// How long a master that went away may take to come back, where nobody sees that it is away.
const MASTER_GONE: Duration = Duration::from_secs(60);
/// How often the screen is drawn at most, and how often for the ages on it.
const REDRAW: Duration = Duration::from_millis(200);
const AGES: Duration = Duration::from_secs(5);

/// What is known, and what changes, until Ctrl-C.
pub fn watch(args: &Args, global: &Global) -> Outcome {
    let asked = Asked::of(args)?;
    block_on(async {
        let mut client = Client::connect(global).await?;
        client.send(asked.query(true)).await?;
        let mut told = Told::listen()?;
        let canvas = if for_people(global) { Canvas::open() } else { None };
        let patience = if canvas.is_some() { None } else { Some(MASTER_GONE) };
        let mut link = Link { global, query: asked.query(true), patience, state: State::Up(Box::new(client)) };
        let mut view = View::new(global, &asked, canvas);
        loop {
            tokio::select! {
                heard = link.next() => view.hear(heard?)?,
                () = tokio::time::sleep_until(view.wake()) => view.draw()?,
                signal = told.next() => match signal {
                    Order::End(exit) => return view.end(exit),
                    Order::Redraw => view.draw()?,
                    Order::Pause => view.pause()?,
                },
            }
        }
    })
}

/// What the terminal, or somebody else, tells this process.
enum Order {
    /// To end, with this code where it is not the worst status that counts.
    End(Option<Exit>),
    /// The terminal has another size.
    Redraw,
    /// Ctrl-Z.
    Pause,
}

struct Told {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    resized: Signal,
    pause: Signal,
}

impl Told {
    fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal_of(kind).map_err(|error| Error::failed(format!("signals cannot be received: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            resized: listen(SignalKind::window_change())?,
            pause: listen(SignalKind::from_raw(signal::Signal::SIGTSTP as i32))?,
        })
    }

    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.interrupt.recv() => Order::End(None),
            _ = self.terminate.recv() => Order::End(Some(Exit(143))),
            _ = self.hangup.recv() => Order::End(Some(Exit(129))),
            _ = self.resized.recv() => Order::Redraw,
            _ = self.pause.recv() => Order::Pause,
        }
    }
}

fn signal_of(kind: SignalKind) -> std::io::Result<Signal> {
    tokio::signal::unix::signal(kind)
}

/// The connection to a master that may go away and come back.
struct Link<'a> {
    global: &'a Global,
    /// What is asked on each connection.
    query: Query,
    /// How long it may be away; `None`: as long as it is.
    patience: Option<Duration>,
    state: State<'a>,
}

enum State<'a> {
    Up(Box<Client>),
    Down(Pin<Box<dyn Future<Output = Result<Client, Error>> + 'a>>),
}

enum Heard {
    Page(Box<CheckPage>),
    Lost,
    Back,
}

impl Link<'_> {
    /// Nothing is lost when the caller stops waiting.
    async fn next(&mut self) -> Result<Heard, Error> {
        match &mut self.state {
            State::Up(client) => match client.next().await {
                Ok((_, Reply::Checks(page))) => Ok(Heard::Page(page)),
                Ok((_, Reply::Error(fault))) => Err(fault.into()),
                Ok((_, other)) => Err(client.unexpected(&other)),
                Err(_) => {
                    self.state = State::Down(Box::pin(again(self.global, self.query.clone(), self.patience)));
                    Ok(Heard::Lost)
                }
            },
            State::Down(coming) => {
                let client = coming.await?;
                self.state = State::Up(Box::new(client));
                Ok(Heard::Back)
            }
        }
    }
}

/// A new connection to a master that went away, on which the question has been asked.
async fn again(global: &Global, query: Query, patience: Option<Duration>) -> Result<Client, Error> {
    let lost = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match Client::connect(global).await {
            Ok(mut client) => {
                if client.send(query.clone()).await.is_ok() {
                    return Ok(client);
                }
            }
            Err(error) if patience.is_some_and(|patience| lost.elapsed() > patience) => return Err(error),
            Err(_) => {}
        }
    }
}

/// What is shown, and where.
struct View<'a> {
    global: &'a Global,
    asked: &'a Asked,
    canvas: Option<Canvas>,
    picture: Picture,
    /// What a master that was away has told since, before it has told all.
    coming: Option<Picture>,
    /// Since when there is no connection to the master.
    away: Option<jiff::Zoned>,
    /// What is to be seen.
    shown: Option<Report>,
    drawn: Option<Instant>,
    /// When it is to be drawn next.
    due: Option<Instant>,
}

impl<'a> View<'a> {
    fn new(global: &'a Global, asked: &'a Asked, canvas: Option<Canvas>) -> Self {
        let (picture, coming) = (Picture::new(), None);
        Self { global, asked, canvas, picture, coming, away: None, shown: None, drawn: None, due: None }
    }

    fn wake(&self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.due.unwrap_or_else(|| Instant::now() + AGES))
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Error> {
        match heard {
            Heard::Page(page) => self.take(*page),
            Heard::Lost => {
                (self.away, self.coming) = (Some(times::now()), Some(Picture::new()));
                self.say("the connection to the master is lost; trying again …\n")?;
            }
            Heard::Back => {
                self.away = None;
                self.say("the master is back\n")?;
            }
        }
        Ok(())
    }

    /// Says it in the picture, where there is one.
    fn say(&mut self, text: &str) -> Result<(), Error> {
        if self.canvas.is_some() {
            return self.draw();
        }
        self.global.note(text);
        Ok(())
    }

    fn take(&mut self, page: CheckPage) {
        match &mut self.coming {
            Some(coming) => coming.take(page),
            None => self.picture.take(page),
        }
        if let Some(complete) = self.coming.take_if(|coming| coming.complete) {
            self.picture = complete;
        }
        let rested = self.drawn.map_or_else(Instant::now, |drawn| drawn + REDRAW);
        self.due = Some(self.due.map_or(rested, |due| due.min(rested)));
    }

    fn draw(&mut self) -> Result<(), Error> {
        self.due = self.canvas.is_some().then(|| Instant::now() + AGES);
        self.drawn = Some(Instant::now());
        if !self.picture.complete {
            return Ok(());
        }
        let report = self.picture.report(self.asked)?.live(self.away.is_none());
        let head = self.head();
        match &mut self.canvas {
            Some(canvas) => {
                let (width, rows) = canvas.size();
                let room = Room { width, rows: Some(rows.saturating_sub(1)), all: self.global.verbose > 0 };
                canvas.draw(&format!("{head}\n{}", checks::screen(&report, room)))?;
            }
            None => term::result(&self.written(&report))?,
        }
        self.shown = Some(report);
        Ok(())
    }

    /// The line above a picture.
    fn head(&self) -> String {
        let now = times::now();
        let clock = now.strftime("%H:%M:%S");
        match &self.away {
            None => term::paint(term::DIM, format_args!("{clock}  Ctrl-C ends it")),
            Some(since) => {
                let since = since.strftime("%H:%M:%S");
                term::paint(term::BAD, format_args!("{clock}  no master since {since}, trying again; Ctrl-C ends it"))
            }
        }
    }

    /// What is written where there is no picture.
    fn written(&self, report: &Report) -> String {
        match (&self.shown, self.global.out) {
            (None, _) => render(report, self.global),
            (Some(before), Some(Format::Jsonl)) => checks::changed_lines(report, before),
            (Some(before), _) if for_people(self.global) => timed(&report.news(before)),
            (Some(before), _) if report.is_like(before) => String::new(),
            (Some(_), _) => render(report, self.global),
        }
    }

    /// Ctrl-Z: the shell gets its terminal until it wants us to go on.
    fn pause(&mut self) -> Result<(), Error> {
        if let Some(canvas) = &mut self.canvas {
            canvas.leave();
        }
        let _ = kill(Pid::this(), signal::Signal::SIGSTOP);
        if let Some(canvas) = &mut self.canvas {
            canvas.enter();
        }
        self.draw()
    }

    /// Leaves what was seen last behind. The code is that of the worst that is known, as of a
    /// monitoring plugin.
    fn end(mut self, exit: Option<Exit>) -> Outcome {
        let worst = Exit(self.shown.as_ref().map_or(UNKNOWN.0, |report| report.worst().code()));
        // The last picture stays to be seen, on the screen that the terminal has back by then.
        let was_drawn = self.canvas.take().is_some();
        if let Some(report) = self.shown.as_ref().filter(|_| was_drawn) {
            term::result(&checks::screen(report, room(self.global)))?;
        }
        Ok(exit.unwrap_or(worst))
    }
}

fn timed(news: &str) -> String {
    let now = times::now().strftime("%H:%M:%S").to_string();
    news.lines().map(|line| format!("{now}  {line}\n")).collect()
}
