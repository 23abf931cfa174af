//! The order of a graph: what a state waits for comes first, then the numbers of `order`.

use std::{cmp::Reverse, collections::BinaryHeap};

use proto::Value;

use super::{Graph, Kind, tag::Tag};
use crate::value;

/// An order beyond every other one.
const LAST: f64 = 1_000_000.0;

impl Graph {
    /// Nodes in order; fewer than there are if some wait for each other.
    pub(super) fn sort(&mut self, cap: f64) -> Vec<usize> {
        let mut waiting: Vec<usize> =
            self.nodes.iter().map(|node| node.incoming.values().map(Vec::len).sum()).collect();
        let mut heap = BinaryHeap::new();
        for (node, _) in waiting.iter().enumerate().filter(|(_, count)| **count == 0) {
            heap.push(Reverse(self.key(node, cap)));
        }
        let mut sorted = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse(Key { node, .. })) = heap.pop() {
            sorted.push(node);
            let out: Vec<(usize, usize)> = self.nodes[node].out.iter().map(|(to, kinds)| (*to, kinds.len())).collect();
            for (to, count) in out {
                waiting[to] -= count;
                if waiting[to] == 0 {
                    heap.push(Reverse(self.key(to, cap)));
                }
            }
        }
        sorted
    }

    fn key(&mut self, node: usize, cap: f64) -> Key {
        let chunk = self.nodes[node].chunk;
        let own = self.settle(chunk, cap);
        let mut least = f64::INFINITY;
        let mut heaviest: Option<Kind> = None;
        let children: Vec<(usize, Vec<Kind>)> =
            self.nodes[node].out.iter().map(|(to, kinds)| (*to, kinds.clone())).collect();
        for (to, kinds) in children {
            for kind in kinds {
                if heaviest.is_none_or(|heaviest| heaviest <= kind) {
                    heaviest = Some(kind);
                    let child = self.nodes[to].chunk;
                    least = least.min(self.number(child, cap));
                }
            }
        }
        Key { order: own.min(least), own, tag: self.nodes[node].tag.clone(), node }
    }

    /// A chunk's order as a number, written back into it where it is a word or missing.
    fn number(&mut self, chunk: usize, cap: f64) -> f64 {
        let data = &mut self.chunks[chunk].data;
        let order = data.get("order");
        if let Some(number) = order.and_then(Value::as_f64) {
            return number;
        }
        let number = match order.and_then(Value::as_str) {
            Some("last") => cap + LAST,
            Some("first") => 0.0,
            _ => match order.and_then(Value::as_bool) {
                Some(flag) => f64::from(u8::from(flag)),
                None => cap,
            },
        };
        data.insert("order".into(), whole(number));
        number
    }

    /// A chunk's own order, with its place among `names` in it.
    fn settle(&mut self, chunk: usize, cap: f64) -> f64 {
        let mut order = self.number(chunk, cap);
        let data = &mut self.chunks[chunk].data;
        if let Some(place) = data.shift_remove("name_order").and_then(|place| place.as_f64()) {
            order += place / 10_000.0;
            data.insert("order".into(), value::float(order));
        }
        if order < 0.0 {
            let exact = data.get("order").is_some_and(Value::is_i64);
            order += cap + LAST;
            data.insert("order".into(), if exact { whole(order) } else { value::float(order) });
        }
        order
    }
}

fn whole(number: f64) -> Value {
    Value::from(number as i64)
}

/// What the heap sorts by.
struct Key {
    order: f64,
    own: f64,
    tag: Tag,
    node: usize,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = self.order.total_cmp(&other.order).then(self.own.total_cmp(&other.own));
        numbers.then_with(|| self.tag.cmp(&other.tag))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}
