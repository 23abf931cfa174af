//! Steps and rows as they are kept across an interruption.

use proto::Map;
use serde::{Deserialize, Serialize};
use states::{
    compile::{Chunk, Kind, Step},
    diag::{Place, Source},
};

#[derive(Serialize, Deserialize)]
struct Saved {
    data: Map,
    file: String,
    line: u32,
    column: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    trial: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried: Option<usize>,
    needs: Vec<(Kind, usize)>,
}

/// Steps as JSON.
pub fn save(steps: &[Step]) -> String {
    let saved: Vec<Saved> = steps
        .iter()
        .map(|step| {
            let (file, line, column) = place(&step.chunk.place);
            let Step { chunk, trial, tried, needs } = step.clone();
            Saved { data: chunk.data.clone(), file, line, column, trial, tried, needs }
        })
        .collect();
    // Maps with texts as keys, and numbers: nothing that JSON could not hold.
    serde_json::to_string(&saved).unwrap_or_default()
}

/// The file, line and column in which something was written, as a place prints itself.
fn place(place: &Place) -> (String, u32, u32) {
    let text = place.to_string();
    let rest = text.strip_prefix(place.file()).unwrap_or_default();
    let mut numbers = rest.split(':').filter_map(|number| number.parse().ok());
    (place.file().to_owned(), numbers.next().unwrap_or(1), numbers.next().unwrap_or(1))
}

/// What [`save`] gave.
///
/// # Errors
/// It is not that.
pub fn restore(text: &str) -> Result<Vec<Step>, serde_json::Error> {
    let saved: Vec<Saved> = serde_json::from_str(text)?;
    let count = saved.len();
    let step = |Saved { data, file, line, column, trial, tried, needs }: Saved| {
        let place = Place::new(&Source::new(&file, ""), line, column, 1);
        let needs = needs.into_iter().filter(|(_, need)| *need < count).collect();
        Step { chunk: Chunk { data, place }.into(), trial, tried: tried.filter(|tried| *tried < count), needs }
    };
    Ok(saved.into_iter().map(step).collect())
}
