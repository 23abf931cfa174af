//! What a minion may send up: granted, come, on disk. Values in, decisions out.

use proto::message::UP_BYTES;

/// The largest return that is taken: 16 MiB of output, and what is around it.
const LARGEST_RETURN: u64 = 20 * 1024 * 1024;
/// Whoever has room in the pool and sends less than this between two heartbeats, twice in a row,
/// keeps others from theirs.
const LEAST_PROGRESS: u64 = 4 * 1024;
const IDLE_BEATS: u8 = 2;

/// Bytes of returns on one connection, each since it began.
#[derive(Debug)]
pub(super) struct Room {
    granted: u64,
    come: u64,
    stored: u64,
    /// Bytes of any kind that had come at the last heartbeat, and how many heartbeats in a row saw
    /// too few of them.
    received: u64,
    idle: u8,
}

impl Room {
    pub fn new() -> Self {
        Self { granted: UP_BYTES, come: 0, stored: 0, received: 0, idle: 0 }
    }

    /// A return has come.
    ///
    /// # Errors
    /// It is more than was granted, by more than one return.
    pub fn came(&mut self, bytes: u64) -> Result<(), String> {
        self.come += bytes;
        match self.come > self.granted + LARGEST_RETURN {
            true => Err("more returns than it has credit for".into()),
            false => Ok(()),
        }
    }

    /// Whether so much waits for the disk that the minion should soon hear of it.
    pub fn is_pressing(&self) -> bool {
        self.come - self.stored > UP_BYTES / 2
    }

    /// How much of the pool a wish for `total` bytes takes.
    ///
    /// # Errors
    /// It is more than any return has.
    pub fn missing(&self, total: u64) -> Result<u32, String> {
        let missing = total.saturating_sub(self.granted);
        if missing > LARGEST_RETURN {
            return Err(format!("it wants to return {missing} bytes at once"));
        }
        Ok(missing as u32)
    }

    /// So much of the pool was granted; gives what is granted in all.
    pub fn grant(&mut self, bytes: u64) -> u64 {
        self.granted += bytes;
        self.idle = 0;
        self.granted
    }

    /// These bytes are on disk. Gives how much of the pool is still needed.
    pub fn on_disk(&mut self, bytes: u64) -> u64 {
        self.stored += bytes;
        self.granted.saturating_sub(self.stored + UP_BYTES)
    }

    /// Topped up when half is used, so that small returns cost no extra message. Gives what is
    /// granted in all, where it has changed.
    pub fn top_up(&mut self) -> Option<u64> {
        (self.granted < self.stored + UP_BYTES / 2).then(|| {
            self.granted = self.stored + UP_BYTES;
            self.granted
        })
    }

    /// A heartbeat; `received` counts all bytes that have come.
    ///
    /// # Errors
    /// It holds room in the pool, and hardly anything has come for two heartbeats.
    pub fn beat(&mut self, received: u64) -> Result<(), String> {
        let progress = received.saturating_sub(std::mem::replace(&mut self.received, received));
        let to_come = self.granted.saturating_sub(self.come + UP_BYTES);
        let idles = to_come > 0 && progress < LEAST_PROGRESS;
        self.idle = if idles { self.idle + 1 } else { 0 };
        match self.idle >= IDLE_BEATS {
            true => Err(format!("it was granted room for {to_come} bytes and does not send them")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_use_its_room_in_the_pool_loses_it() {
        let mut room = Room::new();
        assert!(room.beat(0).and(room.beat(0)).and(room.beat(0)).is_ok(), "an idle minion has no room to lose");
        let missing = room.missing(1 << 20).unwrap();
        room.grant(u64::from(missing));
        assert!(room.beat(100).is_ok());
        let why = room.beat(200).unwrap_err();
        assert!(why.contains("does not send"), "{why}");
    }

    #[test]
    fn a_slow_line_keeps_its_room_and_so_does_who_waits_for_the_disk() {
        let mut room = Room::new();
        room.grant(1 << 20);
        for n in 1..10 {
            assert!(room.beat(n * 5_000).is_ok(), "it sends, if slowly");
        }
        room.came(1 << 20).unwrap();
        for _ in 0..10 {
            assert!(room.beat(50_000).is_ok(), "all has come: now it is the disk's turn");
        }
    }

    #[test]
    fn credit_is_topped_up_when_half_is_used() {
        let mut room = Room::new();
        room.came(UP_BYTES / 2).unwrap();
        assert!(!room.is_pressing());
        assert_eq!((room.on_disk(UP_BYTES / 2), room.top_up()), (0, None));
        room.came(1).unwrap();
        assert_eq!((room.on_disk(1), room.top_up()), (0, Some(UP_BYTES / 2 + 1 + UP_BYTES)));
        room.came(UP_BYTES).unwrap();
        assert!(room.is_pressing());
        assert!(room.came(LARGEST_RETURN + 1).is_err());
        assert!(room.missing(u64::MAX).is_err());
    }

    #[test]
    fn the_pool_has_back_what_is_on_disk() {
        let mut room = Room::new();
        assert_eq!(room.grant(1 << 20), UP_BYTES + (1 << 20));
        room.came(1 << 20).unwrap();
        assert_eq!(room.on_disk(1 << 19), 1 << 19);
        assert_eq!(room.on_disk(1 << 19), 0);
    }
}
