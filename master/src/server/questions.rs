//! What a minion asks: its files, its pillar, the mine. Everything is answered for the minion
//! that the connection belongs to.

use std::sync::Arc;

use proto::{
    MinionId, Question,
    message::{Lane, ToMinion},
    net::Sender,
    question::{Kind, Unanswered},
};

use super::Master;

/// Answers one question of `minion`; nobody hears it if the connection has ended.
pub(super) async fn answer(master: Arc<Master>, minion: MinionId, sender: Sender, id: u32, question: Question) {
    if let Err(why) = find(&master, &minion, question).await {
        let _ = sender.send(Lane::Control, &ToMinion::Failed { id, why }).await;
    }
}

async fn find(_: &Master, minion: &MinionId, question: Question) -> Result<(), Unanswered> {
    tracing::debug!(%minion, ?question, "a question that has no answer yet");
    Err(Unanswered::new(Kind::Failed, "this master serves neither files nor pillar nor a mine"))
}
