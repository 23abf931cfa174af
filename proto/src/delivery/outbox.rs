use std::collections::VecDeque;

use super::DeliveryError;

/// What is on its way over one connection: numbered from 1, in order, as far as the receiver has
/// room.
#[derive(Debug, Clone)]
pub struct Outbox<T> {
    items: VecDeque<(T, u64)>,
    /// How many of `items` are under way, and their bytes.
    sent: usize,
    under_way: u64,
    /// The number of the last item that was acknowledged.
    acked: u64,
    room: Room,
}

#[derive(Debug, Clone)]
enum Room {
    /// So much may be unacknowledged.
    Window { items: u64, bytes: u64 },
    /// So many bytes may be sent in all, of which so many were; and what was last asked for.
    Credit { granted: u64, used: u64, wanted: u64 },
}

impl<T> Outbox<T> {
    /// At most so many items and bytes are unacknowledged at any time. One item always is let
    /// through, however large.
    pub fn windowed(items: u64, bytes: u64) -> Self {
        Self::with(Room::Window { items, bytes })
    }

    /// Bytes are sent as the receiver grants them.
    pub fn credited(granted: u64) -> Self {
        Self::with(Room::Credit { granted, used: 0, wanted: 0 })
    }

    fn with(room: Room) -> Self {
        Self { items: VecDeque::new(), sent: 0, under_way: 0, acked: 0, room }
    }

    pub fn push(&mut self, item: T, bytes: u64) {
        self.items.push_back((item, bytes));
    }

    /// The next item that there is room for, with its number; it counts as sent.
    pub fn take_next(&mut self) -> Option<(u64, &T)> {
        let (item, bytes) = self.items.get(self.sent)?;
        match &mut self.room {
            Room::Window { items, bytes: most } => {
                let full = self.sent as u64 >= *items || self.under_way + bytes > *most;
                if self.sent > 0 && full {
                    return None;
                }
            }
            Room::Credit { granted, used, .. } => {
                if *used + bytes > *granted {
                    return None;
                }
                *used += bytes;
            }
        }
        self.sent += 1;
        self.under_way += bytes;
        Some((self.acked + self.sent as u64, item))
    }

    /// The receiver grants so many bytes in all (cumulative: an older word is nothing new).
    pub fn grant(&mut self, total: u64) {
        if let Room::Credit { granted, .. } = &mut self.room {
            *granted = (*granted).max(total);
        }
    }

    /// The credit (cumulative) to ask for, when the next item does not fit; said once for each.
    pub fn wants(&mut self) -> Option<u64> {
        let (_, bytes) = self.items.get(self.sent)?;
        let Room::Credit { granted, used, wanted } = &mut self.room else { return None };
        let needed = *used + bytes;
        (needed > *granted && needed > *wanted).then(|| {
            *wanted = needed;
            needed
        })
    }

    /// Everything up to `up_to` has arrived for good; gives those items. An older word gives none.
    pub fn ack(&mut self, up_to: u64) -> Result<Vec<T>, DeliveryError> {
        let sent = self.acked + self.sent as u64;
        if up_to > sent {
            return Err(DeliveryError::AckBeyond { up_to, sent });
        }
        let count = up_to.saturating_sub(self.acked) as usize;
        self.acked += count as u64;
        self.sent -= count;
        let arrived = self.items.drain(..count).map(|(item, bytes)| {
            self.under_way -= bytes;
            item
        });
        Ok(arrived.collect())
    }

    /// Items that are not acknowledged, sent or not.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What a connection that ended leaves open, in order.
    pub fn into_items(self) -> impl Iterator<Item = T> {
        self.items.into_iter().map(|(item, _)| item)
    }
}
