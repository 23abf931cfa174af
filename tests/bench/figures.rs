//! Measured figures: several runs, the median to quote, and how far the runs lay apart.

use std::fmt::Write as _;

/// One measured thing, in the unit its row names.
#[derive(Debug, Clone)]
pub struct Figure {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub runs: usize,
}

impl Figure {
    /// # Panics
    /// When there are no runs: that is a bench that measured nothing.
    pub fn of(mut runs: Vec<f64>) -> Self {
        assert!(!runs.is_empty(), "nothing was measured");
        runs.sort_by(f64::total_cmp);
        Self { median: runs[runs.len() / 2], min: runs[0], max: runs[runs.len() - 1], runs: runs.len() }
    }

    /// The same in another unit.
    pub fn times(&self, factor: f64) -> Self {
        Self { median: self.median * factor, min: self.min * factor, max: self.max * factor, runs: self.runs }
    }

    pub fn one(value: f64) -> Self {
        Self::of(vec![value])
    }
}

/// A row of the report.
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub ours: Figure,
    /// What the issue asks for; `None` for a figure that only informs.
    pub goal: Option<Goal>,
    /// What else was measured in the same run, and how much of it.
    pub peers: Vec<(String, Figure)>,
}

#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub fn met(self, figure: &Figure) -> bool {
        match self {
            Self::AtMost(limit) => figure.median <= limit,
            Self::AtLeast(limit) => figure.median >= limit,
        }
    }
}

/// The report as Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| what | median | min – max (runs) | goal | beside it, in the same run | ratio |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let goal = match row.goal {
            Some(Goal::AtMost(limit)) => format!("≤ {}{}", number(limit), verdict(row)),
            Some(Goal::AtLeast(limit)) => format!("≥ {}{}", number(limit), verdict(row)),
            None => "–".into(),
        };
        let peers: Vec<String> =
            row.peers.iter().map(|(name, figure)| format!("{name}: {}", number(figure.median))).collect();
        let ratios: Vec<String> =
            row.peers.iter().map(|(_, figure)| format!("{:.2}", row.ours.median / figure.median)).collect();
        let _ = writeln!(
            text,
            "| {} ({}) | **{}** | {} – {} ({}) | {goal} | {} | {} |",
            row.what,
            row.unit,
            number(row.ours.median),
            number(row.ours.min),
            number(row.ours.max),
            row.ours.runs,
            peers.join("; "),
            ratios.join("; "),
        );
    }
    text
}

fn verdict(row: &Row) -> &'static str {
    match row.goal {
        Some(goal) if !goal.met(&row.ours) => " **missed**",
        _ => "",
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
