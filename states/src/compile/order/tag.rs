//! What names a chunk in results, made once, and what Salt sorts by where numbers are the same.

use std::{cmp::Ordering, ops::Range, sync::Arc};

use crate::compile::Chunk;

/// `file_|-id_|-name_|-managed`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tag {
    pub text: Arc<str>,
    /// Where state, name and function stand in it.
    parts: [Range<usize>; 3],
}

impl Tag {
    pub fn of(chunk: &Chunk) -> Self {
        let text = chunk.tag();
        let length = |key: &str| chunk.printed(key).len();
        let (state, name, fun) = (length("state"), length("name"), length("fun"));
        let name_ends = text.len() - fun - super::super::low::BETWEEN.len();
        Self { parts: [0..state, name_ends - name..name_ends, text.len() - fun..text.len()], text: text.into() }
    }

    /// The same chunk tried for another that is a `prereq` of it.
    pub fn tried(&self) -> Self {
        Self { text: format!("{}_|-__prereq_test__", self.text).into(), parts: self.parts.clone() }
    }

    fn label(&self) -> impl Iterator<Item = u8> {
        self.parts.iter().flat_map(|part| self.text[part.clone()].bytes())
    }
}

impl Ord for Tag {
    fn cmp(&self, other: &Self) -> Ordering {
        self.label().cmp(other.label()).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proto::Map;
    use serde_json::json;

    use super::*;
    use crate::diag::{Place, Source};

    fn tag(state: &str, id: &str, name: &str, fun: &str) -> Tag {
        let data = json!({"state": state, "__id__": id, "name": name, "fun": fun});
        let data: Map = data.as_object().cloned().unwrap();
        Tag::of(&Chunk { data, place: Place::new(&Source::new("x", ""), 1, 1, 1) })
    }

    #[test]
    fn the_label_leaves_out_the_id_and_decides_first() {
        let one = tag("file", "z", "/a", "managed");
        assert_eq!(&*one.text, "file_|-z_|-/a_|-managed");
        assert_eq!(one.label().collect::<Vec<_>>(), b"file/amanaged");
        assert!(one < tag("file", "a", "/b", "managed"));
        assert!(one > tag("file", "b", "/a", "managed"), "of equal labels, the tag decides");
        assert!(one < one.tried());
    }
}
