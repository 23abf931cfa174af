//! The bench: whole processes, several runs, medians, each beside a peer or a raw limit that was
//! measured in the same run. `cargo run --profile fast -p tests --bin bench -- --help`.

mod agents;
mod compiler;
mod figures;
mod operator;
mod process;
mod raw;
mod report;
mod salt;
mod scenes;

use std::process::ExitCode;

const HELP: &str = "\
Usage: bench [SCENE…] [--quick] [--no-salt] [--write]

  SCENE      one or more of: salt compile fleet idle apply highstate
             files pillar orchestrate check plugins check-swarm check-quiet watch swarm drain reconnect
             endurance (default: all)
  --quick    fewer runs and smaller swarms, to see that it works
  --no-salt  leave Salt out (it is installed from PyPI otherwise)
  --write    write docs/benchmarks.md

Measure an optimised build: cargo run --profile fast -p tests --bin bench";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["raw-peer", address, connections] => {
            raw::peer(address, connections.parse().expect("a count"));
            return ExitCode::SUCCESS;
        }
        ["agents", address, count, folder, spooled, checks] => {
            let count = count.parse().expect("a count");
            agents::main(address, count, folder.as_ref(), spooled.as_ref(), checks.parse().expect("a count"));
            return ExitCode::SUCCESS;
        }
        ["compile", dir, sls, runs] => {
            compiler::main(dir.as_ref(), sls, runs.parse().expect("a count"));
            return ExitCode::SUCCESS;
        }
        words if words.contains(&"--help") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let options = scenes::Options::parse(&words);
    let unknown: Vec<&str> =
        options.scenes.iter().filter(|scene| scenes::find(scene).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        eprintln!("error: no such scene: {}\n\n{HELP}", unknown.join(", "));
        return ExitCode::from(2);
    }
    let rows = scenes::run(&options);
    let text = report::text(&rows, &options);
    println!("{text}");
    if options.write {
        report::write(&text);
    }
    let missed = rows.iter().filter(|row| row.goal.is_some_and(|goal| !goal.met(&row.ours))).count();
    println!("{} figures, {missed} beside their goal", rows.len());
    ExitCode::SUCCESS
}
