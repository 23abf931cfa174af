//! The target of a call, with Salt's flags for old fingers.

use clap::Args;
use proto::{
    MinionId,
    message::{Absent, JobStart},
    target::Target,
};

use crate::error::Error;

/// A target is a compound expression: `'*'`, `'web*'`, `'web1,web2'`, `'G@os:Debian and not web*'`.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Who: '*', 'web*', 'web1,web2', 'G@os:Debian and not web*', 'E@web\d+', 'S@10.0.0.0/8'
    #[arg(value_name = "TARGET", allow_hyphen_values = false)]
    pub target: String,
    #[command(flatten)]
    pub kind: Kind,
}

/// What the target means, where it is not a compound expression.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "As in Salt: the target is")]
pub struct Kind {
    /// a grain: os:Debian (G@)
    #[arg(short = 'G', long)]
    grain: bool,
    /// a regular expression on the id (E@)
    #[arg(short = 'E', long)]
    pcre: bool,
    /// a list of ids (L@)
    #[arg(short = 'L', long)]
    list: bool,
    /// a pillar value: role:db (I@)
    #[arg(short = 'I', long)]
    pillar: bool,
    /// an address or network (S@)
    #[arg(short = 'S', long)]
    ipcidr: bool,
    /// a regular expression on a grain (P@)
    #[arg(short = 'P', long)]
    grain_pcre: bool,
    /// a regular expression on a pillar value (J@)
    #[arg(short = 'J', long)]
    pillar_pcre: bool,
    /// a nodegroup (N@)
    #[arg(short = 'N', long)]
    nodegroup: bool,
    /// a compound expression, as without any of these
    #[arg(short = 'C', long)]
    compound: bool,
}

impl Kind {
    /// The letter of the flag that was given.
    fn letter(&self) -> Option<char> {
        let flags = [
            (self.grain, 'G'),
            (self.pcre, 'E'),
            (self.list, 'L'),
            (self.pillar, 'I'),
            (self.ipcidr, 'S'),
            (self.grain_pcre, 'P'),
            (self.pillar_pcre, 'J'),
            (self.nodegroup, 'N'),
            (self.compound, 'C'),
        ];
        flags.into_iter().find(|(given, _)| *given).map(|(_, letter)| letter)
    }
}

impl Selection {
    /// The compound expression that is meant.
    ///
    /// # Errors
    /// A target that cannot be read, with the place in it.
    pub fn expression(&self) -> Result<String, Error> {
        let target = match self.kind.letter() {
            None | Some('C') => Target::parse(&self.target).map(|_| self.target.clone()),
            Some(letter) => Target::from_flag(letter, &self.target).map(|target| target.to_string()),
        };
        target.map_err(|error| {
            let hint = error.hint().map(str::to_owned);
            Error::nothing(error.to_string()).hints(hint)
        })
    }
}

/// The ids that a target spells out one by one: `web1,web2`, `L@web1,web2`.
pub fn named(target: &str) -> Vec<MinionId> {
    let list = target.strip_prefix("L@").unwrap_or(target);
    if list.contains(['*', '?', '[', '@', ' ', '(', ')']) {
        return Vec::new();
    }
    list.split(',').filter_map(|id| id.trim().parse().ok()).collect()
}

/// Who was named one by one and is not known to the master is missing from its list; whoever named
/// them expects an answer, so they are accounted for as never seen.
pub fn miss_named(target: &str, start: &mut JobStart) {
    let unknown: Vec<MinionId> = named(target).into_iter().filter(|id| !start.expected.contains(id)).collect();
    start.absent.extend(unknown.iter().map(|minion| Absent { minion: minion.clone(), since: None }));
    start.expected.extend(unknown);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_prefixes() {
        let of = |target: &str, kind| Selection { target: target.into(), kind }.expression().unwrap();
        assert_eq!(of("os:Debian", Kind { grain: true, ..Kind::default() }), "G@os:Debian");
        assert_eq!(of("os:(Debian|Ubuntu)", Kind { grain_pcre: true, ..Kind::default() }), "P@os:(Debian|Ubuntu)");
        assert_eq!(of("G@os:Debian and web*", Kind { compound: true, ..Kind::default() }), "G@os:Debian and web*");
        assert_eq!(of("web*", Kind::default()), "web*");
    }

    #[test]
    fn who_is_named_and_unknown_is_not_forgotten() {
        let mut start =
            JobStart { jid: proto::JobId::from_micros(1), expected: vec!["web1".parse().unwrap()], absent: Vec::new() };
        miss_named("web1,web9", &mut start);
        assert_eq!((start.expected.len(), start.absent.len()), (2, 1));
        assert_eq!(named("L@a,b").len(), 2);
        assert!(named("web*,db1").is_empty() && named("web1 or db1").is_empty() && named("G@os:x").is_empty());
    }

    #[test]
    fn a_target_that_cannot_be_read_is_explained() {
        let error = Selection { target: "web* and (".into(), kind: Kind::default() }.expression().unwrap_err();
        assert!(error.render().contains("column"), "{}", error.render());
    }
}
