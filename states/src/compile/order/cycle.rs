//! States that wait for each other.

use super::Graph;
use crate::Diagnostic;

impl Graph {
    /// The states that wait for each other, as a chain.
    pub(super) fn cycle(&self) -> Diagnostic {
        let chain = self.find_cycle();
        let name = |node: usize| {
            let chunk = &self.chunks[self.nodes[node].chunk];
            format!("{}: {}", chunk.text("state"), chunk.text("__id__"))
        };
        let shown: Vec<String> = chain.iter().chain(chain.first()).map(|&node| name(node)).collect();
        let mut problem = Diagnostic::new(format!("these states wait for each other: {}", shown.join(" → ")));
        for (i, &node) in chain.iter().enumerate() {
            let place = &self.chunks[self.nodes[node].chunk].place;
            problem = if i == 0 { problem.at(place) } else { problem.note(name(node), place) };
        }
        problem.hint("one of these requisites has to go (a → b: a must run before b)")
    }

    fn find_cycle(&self) -> Vec<usize> {
        let mut colour = vec![0u8; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if colour[start] != 0 {
                continue;
            }
            let mut stack = vec![(start, 0)];
            colour[start] = 1;
            while let Some(&(node, at)) = stack.last() {
                let Some((&to, _)) = self.nodes[node].out.get_index(at) else {
                    colour[node] = 2;
                    stack.pop();
                    continue;
                };
                if let Some(top) = stack.last_mut() {
                    top.1 += 1;
                }
                if colour[to] == 1 {
                    let from = stack.iter().position(|&(other, _)| other == to).unwrap_or(0);
                    return stack[from..].iter().map(|&(node, _)| node).collect();
                }
                if colour[to] == 0 {
                    colour[to] = 1;
                    stack.push((to, 0));
                }
            }
        }
        Vec::new()
    }
}
