//! Chance as Python's `random` makes it of a seed: a value that depends on a minion's name is the
//! same that Salt gave. (The Mersenne Twister MT19937, and how CPython seeds and draws.)

use sha2::{Digest, Sha512};

const N: usize = 624;
const M: usize = 397;

/// A generator whose draws are those of `random.Random(seed)`.
pub struct Random {
    state: [u32; N],
    at: usize,
}

impl Random {
    /// `random.seed(text)`.
    pub fn of_text(seed: &str) -> Self {
        let mut bytes = seed.as_bytes().to_vec();
        bytes.extend(Sha512::digest(seed.as_bytes()));
        Self::of_bytes(&bytes)
    }

    /// `random.seed(number)`.
    pub fn of_int(seed: i64) -> Self {
        Self::of_bytes(&seed.unsigned_abs().to_be_bytes())
    }

    /// A number of any length, the highest byte first.
    fn of_bytes(bytes: &[u8]) -> Self {
        let mut key: Vec<u32> =
            bytes.rchunks(4).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        Self::of_key(&key)
    }

    fn of_key(key: &[u32]) -> Self {
        let mut state = [0_u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            let last = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = 1_812_433_253_u32.wrapping_mul(last).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let last = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ last).wrapping_add(key[j]).wrapping_add(j as u32);
            (i, j) = (i + 1, (j + 1) % key.len());
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 1..N {
            let last = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ last).wrapping_sub(i as u32);
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: N }
    }

    fn word(&mut self) -> u32 {
        if self.at >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn bits(&mut self, count: u32) -> u64 {
        match count {
            0 => 0,
            1..=32 => u64::from(self.word() >> (32 - count)),
            _ => {
                let low = u64::from(self.word());
                low | u64::from(self.word() >> (64 - count)) << 32
            }
        }
    }

    /// A number from 0 up to, but not, `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        let count = 64 - end.leading_zeros();
        loop {
            let drawn = self.bits(count);
            if drawn < end.max(1) {
                return drawn;
            }
        }
    }

    /// `random.sample`: places of a list of `length`, none twice; `count` is at most `length`.
    pub fn sample(&mut self, length: usize, count: usize) -> Vec<usize> {
        let mut set_size = 21_u64;
        if count > 5 {
            let power = ((count as f64 * 3.0).ln() / 4_f64.ln()).ceil();
            set_size += 4_f64.powf(power) as u64;
        }
        let below = |random: &mut Self, end: usize| random.below(end as u64) as usize;
        if length as u64 <= set_size {
            let mut pool: Vec<usize> = (0..length).collect();
            return (0..count)
                .map(|i| {
                    let drawn = below(self, length - i);
                    let found = pool[drawn];
                    pool[drawn] = pool[length - i - 1];
                    found
                })
                .collect();
        }
        let mut drawn: Vec<usize> = Vec::new();
        while drawn.len() < count {
            let next = below(self, length);
            if !drawn.contains(&next) {
                drawn.push(next);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_python() {
        let mut web = Random::of_text("web1.example.com");
        assert_eq!([web.below(60), web.below(60), web.below(1000)], [31, 34, 560]);
        assert_eq!(Random::of_text("m1").below(10), 2);
        let mut number = Random::of_int(42);
        assert_eq!([number.below(100), number.below(100)], [81, 14]);
        assert_eq!(Random::of_int(1).sample(5, 3), [1, 0, 4]);
    }
}
