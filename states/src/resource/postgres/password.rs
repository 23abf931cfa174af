//! Passwords as PostgreSQL keeps them: `md5…` of old, and SCRAM-SHA-256 (RFC 7677).

use rand::RngExt;
use sha2::{Digest, Sha256};

use crate::{base64, resource::digest};

/// How a password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Plain,
    Md5,
    Scram,
}

impl Method {
    /// By the argument `encrypted`: a flag, or a method's name.
    ///
    /// # Errors
    /// A method that is not known.
    pub fn of(encrypted: Option<&str>) -> Result<Self, String> {
        match encrypted {
            None | Some("True" | "md5") => Ok(Self::Md5),
            Some("False") => Ok(Self::Plain),
            Some("scram-sha-256") => Ok(Self::Scram),
            Some(other) => Err(format!("Unknown password algorithm: {other}")),
        }
    }

    /// What the server is to keep; what is hashed already stays as it is.
    pub fn hash(self, role: &str, password: &str) -> String {
        match self {
            Self::Md5 if !password.starts_with("md5") => md5(role, password),
            Self::Scram if !password.starts_with(SCRAM) => {
                scram(password, &rand::rng().random::<[u8; 16]>(), ITERATIONS)
            }
            _ => password.to_owned(),
        }
    }

    /// Whether what the server keeps is of this password.
    pub fn fits(self, role: &str, password: &str, kept: &str) -> bool {
        let again = || {
            let (iterations, rest) = kept.strip_prefix(SCRAM)?.strip_prefix('$')?.split_once(':')?;
            let iterations = iterations.parse().ok().filter(|count| (1..=1_000_000).contains(count))?;
            Some(scram(password, &base64::decode(rest.split('$').next()?)?, iterations))
        };
        match self {
            Self::Scram if !password.starts_with(SCRAM) => again().as_deref() == Some(kept),
            _ => self.hash(role, password) == kept,
        }
    }
}

const SCRAM: &str = "SCRAM-SHA-256";
const ITERATIONS: u32 = 4096;

fn md5(role: &str, password: &str) -> String {
    format!("md5{}", digest::digest("md5", format!("{password}{role}").as_bytes()).unwrap_or_default())
}

fn scram(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = stretched(password.as_bytes(), salt, iterations);
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    let [salt, stored, server] = [salt, stored.as_slice(), &server].map(base64::encode);
    format!("{SCRAM}${iterations}:{salt}${stored}:{server}")
}

/// One block of PBKDF2.
fn stretched(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut all = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        all.iter_mut().zip(last).for_each(|(all, last)| *all ^= last);
    }
    all
}

fn hmac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(bytes).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hashed_as_postgres_does() {
        let md5 = "md536a8b2cc7b0d8ca9ff6b2ea0c0ca3c4a";
        assert_eq!(Method::Md5.hash("role", "password").len(), md5.len());
        // RFC 7677's own example.
        let salt = base64::decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let kept = scram("pencil", &salt, 4096);
        assert_eq!(
            kept,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        assert!(Method::Scram.fits("any", "pencil", &kept) && !Method::Scram.fits("any", "pen", &kept));
        let new = Method::Scram.hash("any", "pen");
        assert!(Method::Scram.fits("any", "pen", &new) && Method::Scram.fits("any", &new, &new));
        assert!(Method::of(Some("rot13")).is_err() && !Method::Md5.fits("a", "b", ""));
    }
}
