//! The report: a table with the machine and the date, printed or written to docs/benchmarks.md.

use std::{fs, process::Command};

use crate::{
    figures::{Row, table},
    scenes::Options,
};

pub fn text(rows: &[Row], options: &Options) -> String {
    format!(
        "# Benchmarks\n\nMade by `cargo run --profile fast -p tests --bin bench -- --write` on {date}{quick}.\n\
         Machine: {cpus} processors ({model}), {memory} GiB of memory, Linux {kernel}. Build: {version}.\n\
         Each figure is of whole processes; the median counts, minimum and maximum show how noisy the machine was.\n\n{table}",
        date = output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        quick = if options.quick { " (quick: fewer runs, smaller swarms)" } else { "" },
        cpus = std::thread::available_parallelism().map_or(0, usize::from),
        model = field("/proc/cpuinfo", "model name"),
        memory = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 20,
        kernel = output("uname", &["-r"]),
        version = output(&tests::binary::ctl().display().to_string(), &["--version"]),
        table = table(rows),
    )
}

pub fn write(text: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md");
    let notes =
        fs::read_to_string(path).ok().and_then(|old| old.split_once("\n## Notes").map(|(_, notes)| notes.to_owned()));
    let notes = notes.map(|notes| format!("\n## Notes{notes}")).unwrap_or_default();
    fs::write(path, format!("{text}{notes}")).expect("docs/benchmarks.md can be written");
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
