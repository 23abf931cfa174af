//! Password hashes as `/etc/shadow` holds them: SHA-crypt, as Drepper's specification has it.

use rand::RngExt;
use sha2::{Digest, Sha256, Sha512};

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ROUNDS: usize = 5000;
const LONGEST_SALT: usize = 16;

/// The two kinds of SHA-crypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sha256,
    Sha512,
}

impl Kind {
    /// By Salt's name of it, or the number in a hash (`$6$…`).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "sha512" | "6" => Some(Self::Sha512),
            "sha256" | "5" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().to_vec(),
            Self::Sha512 => parts.iter().fold(Sha512::new(), Digest::chain_update).finalize().to_vec(),
        }
    }

    fn number(self) -> u8 {
        if self == Self::Sha512 { 6 } else { 5 }
    }
}

/// A salt of eight random letters.
pub fn salt() -> String {
    let mut random = rand::rng();
    (0..8).map(|_| char::from(LETTERS[random.random_range(0..64)])).collect()
}

/// The hash of a password: `$6$SALT$…`. A salt may name its own number of rounds, as
/// `rounds=N$SALT`.
pub fn hash(kind: Kind, password: &str, salt: &str) -> String {
    let (rounds, salt) = rounds(salt);
    let salt: String = salt.chars().take_while(|c| *c != '$').take(LONGEST_SALT).collect();
    let (key, salt_bytes) = (password.as_bytes(), salt.as_bytes());
    let other = kind.digest(&[key, salt_bytes, key]);
    let mut parts: Vec<&[u8]> = vec![key, salt_bytes];
    let whole = repeated(&other, key.len());
    parts.push(&whole);
    let mut bits = key.len();
    while bits > 0 {
        parts.push(if bits & 1 == 1 { &other } else { key });
        bits >>= 1;
    }
    let mut sum = kind.digest(&parts);
    let key_part = repeated(&kind.digest(&vec![key; key.len()]), key.len());
    let times = 16 + usize::from(sum[0]);
    let salt_part = repeated(&kind.digest(&vec![salt_bytes; times]), salt_bytes.len());
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let odd = round % 2 == 1;
        let mut parts: Vec<&[u8]> = vec![if odd { &key_part } else { &sum }];
        if round % 3 != 0 {
            parts.push(&salt_part);
        }
        if round % 7 != 0 {
            parts.push(&key_part);
        }
        parts.push(if odd { &sum } else { &key_part });
        sum = kind.digest(&parts);
    }
    let named = rounds.map_or(String::new(), |rounds| format!("rounds={rounds}$"));
    format!("${}${named}{salt}${}", kind.number(), letters(kind, &sum))
}

fn rounds(salt: &str) -> (Option<usize>, &str) {
    let named = salt.strip_prefix("rounds=").and_then(|rest| rest.split_once('$'));
    match named.and_then(|(rounds, salt)| Some((rounds.parse::<usize>().ok()?, salt))) {
        Some((rounds, salt)) => (Some(rounds.clamp(1000, 999_999)), salt),
        None => (None, salt),
    }
}

fn repeated(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// The sum in letters: three bytes at a time, in the order of the specification.
fn letters(kind: Kind, sum: &[u8]) -> String {
    let (count, step) = if kind == Kind::Sha512 { (21, 21) } else { (10, 10) };
    let mut out = String::new();
    let mut put = |high: u8, middle: u8, low: u8, count: usize| {
        let mut bits = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
        for _ in 0..count {
            out.push(char::from(LETTERS[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    let mut at = [0, step, 2 * step];
    for _ in 0..count {
        put(sum[at[0]], sum[at[1]], sum[at[2]], 4);
        at = match kind {
            Kind::Sha512 => [at[1] + 1, at[2] + 1, at[0] + 1],
            Kind::Sha256 => [at[2] + 1, at[0] + 1, at[1] + 1],
        };
    }
    match kind {
        Kind::Sha512 => put(0, 0, sum[63], 2),
        Kind::Sha256 => put(0, sum[31], sum[30], 3),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(
            hash(Kind::Sha512, "Hello world!", "saltstring"),
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        );
        assert_eq!(
            hash(Kind::Sha256, "Hello world!", "saltstring"),
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
        );
        assert_eq!(
            hash(Kind::Sha256, "Hello world!", "rounds=10000$saltstringsaltstring"),
            "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"
        );
    }
}
