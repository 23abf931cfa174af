//! What is on its way down a connection: numbered, within a window of items and bytes.

use std::collections::VecDeque;

/// Items in order; the first `sent` of them are under way and not acknowledged.
pub struct Outbox<T> {
    items: VecDeque<(T, u64)>,
    sent: usize,
    sent_bytes: u64,
    /// The number of the last item that was acknowledged.
    acked: u64,
    most_items: u64,
    most_bytes: u64,
}

/// The peer acknowledged what was never sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("acknowledged {up_to}, but only {sent} were sent")]
pub struct AckError {
    up_to: u64,
    sent: u64,
}

impl<T> Outbox<T> {
    pub fn new(most_items: u64, most_bytes: u64) -> Self {
        Self { items: VecDeque::new(), sent: 0, sent_bytes: 0, acked: 0, most_items, most_bytes }
    }

    pub fn push(&mut self, item: T, bytes: u64) {
        self.items.push_back((item, bytes));
    }

    /// The next item that the window has room for, with its number; counted as sent. One item is
    /// always let through, however large.
    pub fn take_next(&mut self) -> Option<(u64, &T)> {
        let (item, bytes) = self.items.get(self.sent)?;
        let full = self.sent as u64 >= self.most_items || self.sent_bytes + bytes > self.most_bytes;
        if self.sent > 0 && full {
            return None;
        }
        self.sent += 1;
        self.sent_bytes += bytes;
        Some((self.acked + self.sent as u64, item))
    }

    /// Everything up to `up_to` has arrived; gives those items.
    pub fn ack(&mut self, up_to: u64) -> Result<Vec<T>, AckError> {
        let sent = self.acked + self.sent as u64;
        if up_to > sent {
            return Err(AckError { up_to, sent });
        }
        let count = up_to.saturating_sub(self.acked) as usize;
        self.acked += count as u64;
        self.sent -= count;
        let arrived: Vec<(T, u64)> = self.items.drain(..count).collect();
        self.sent_bytes -= arrived.iter().map(|(_, bytes)| bytes).sum::<u64>();
        Ok(arrived.into_iter().map(|(item, _)| item).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(outbox: &mut Outbox<char>) -> Vec<u64> {
        std::iter::from_fn(|| outbox.take_next().map(|(number, _)| number)).collect()
    }

    #[test]
    fn the_window_bounds_items_and_bytes_and_moves_with_acknowledgements() {
        let mut outbox = Outbox::new(3, 100);
        for letter in 'a'..='f' {
            outbox.push(letter, 40);
        }
        assert_eq!(numbers(&mut outbox), [1, 2]);
        assert_eq!(outbox.ack(1).unwrap(), ['a']);
        assert_eq!(numbers(&mut outbox), [3]);
        assert!(outbox.ack(1).unwrap().is_empty(), "said twice");
        assert_eq!(outbox.ack(3).unwrap(), ['b', 'c']);
        assert_eq!(numbers(&mut outbox), [4, 5]);
        assert_eq!(outbox.ack(9), Err(AckError { up_to: 9, sent: 5 }));
    }

    #[test]
    fn one_item_always_fits() {
        let mut outbox = Outbox::new(1, 10);
        outbox.push('x', 1000);
        outbox.push('y', 1);
        assert_eq!(numbers(&mut outbox), [1]);
        assert_eq!(outbox.ack(1).unwrap(), ['x']);
        assert_eq!(numbers(&mut outbox), [2]);
    }
}
