//! A program in a terminal of its own, and what is to be seen there.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::termios::{LocalModes, tcgetattr, tcsetwinsize};

/// How long anything may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Terminal {
    keyboard: File,
    child: Child,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl Terminal {
    /// Starts a program in a session of its own, whose terminal this is.
    pub fn start(program: &Command, columns: u16, rows: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let side = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args()).env_clear();
        command.env("PATH", "/usr/bin:/bin");
        command.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let keyboard = File::from(pair.master);
        let parser = vt100::Parser::new(rows, columns, 0);
        let seen = Arc::new(Mutex::new(Seen { parser, raw: Vec::new() }));
        let (mut screen, eye) = (keyboard.try_clone().unwrap(), seen.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal that all have left gives an error, on Linux.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let mut seen = eye.lock().unwrap();
                seen.parser.process(&buffer[..count]);
                seen.raw.extend(&buffer[..count]);
            }
        });
        Self { keyboard, child, seen }
    }

    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }

    /// Whether the screen is the one beside the usual one, without a cursor, and keys are not shown.
    pub fn is_taken(&self) -> bool {
        let (screen, echo) = self.state();
        screen && !echo
    }

    /// Whether it is as a shell leaves it.
    pub fn is_given_back(&self) -> bool {
        let (screen, echo) = self.state();
        !screen && echo
    }

    fn state(&self) -> (bool, bool) {
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        assert_eq!(screen.alternate_screen(), screen.hide_cursor(), "the one goes with the other");
        let echo = tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO);
        (screen.alternate_screen(), echo)
    }

    /// Waits until the screen is as it should be.
    pub fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !fits(self) {
            assert!(Instant::now() < limit, "waiting for {what}, saw\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn shows(&self, text: &str) {
        self.until(text, |terminal| terminal.text().contains(text));
    }

    /// Waits for the end of the program.
    pub fn ended(&mut self) -> ExitStatus {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < limit, "it does not end, and shows\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
