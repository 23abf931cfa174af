//! The state compiler in a process of its own: `bench compile DIR SLS RUNS` prints the seconds of
//! each run, one a line, and then the most memory that the process ever had, in KiB.

use std::{path::Path, process::Command, sync::atomic::AtomicI32, time::Instant};

use minion::{config::Config, exec, grains, host::Local};
use proto::{Args, Map, Value};
use states::Context;

use crate::{figures::Figure, process};

pub fn main(dir: &Path, sls: &str, runs: usize) {
    let (config, _) = Config::load(dir).expect("a configuration");
    let grains = grains::of(&config);
    let host = Local::new(grains);
    for _ in 0..runs {
        // Nothing is kept from one run to the next: files are listed, read and parsed again.
        let start = Instant::now();
        let tree = minion::local::tree(&config);
        let context = Context {
            id: &config.id,
            look: &host,
            host: None,
            functions: &exec::Table,
            tree: &*tree,
            pillar: &Map::new(),
            opts: &config.opts,
            agent: None,
            progress: &|_| {},
            retcode: &AtomicI32::new(0),
        };
        let name = "state.show_low_sls".parse().expect("a function's name");
        let low = context.call(&name, Args::positional([Value::from(sls)])).expect("it compiles");
        let seconds = start.elapsed().as_secs_f64();
        assert!(low.as_array().is_some_and(|chunks| !chunks.is_empty()), "{low}");
        println!("{seconds}");
    }
    println!("{}", process::most_memory());
}

/// Seconds of each run but the first, unless there is only one, and the most memory in MiB.
pub fn measure(dir: &Path, sls: &str, runs: usize) -> (Figure, f64) {
    let exe = std::env::current_exe().expect("this program");
    let output = Command::new(exe).arg("compile").arg(dir).arg(sls).arg(runs.to_string()).output().expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers: Vec<f64> = text.lines().map(|line| line.parse().expect("a number")).collect();
    let memory = numbers.pop().expect("memory") / 1024.0;
    if runs > 1 {
        numbers.remove(0);
    }
    (Figure::of(numbers), memory)
}
