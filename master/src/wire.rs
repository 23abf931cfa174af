//! The wire's messages as a master holds them: what functions gave, as its bytes.

use proto::{PackedValue, job, message};

pub type FromMinion = message::FromMinionWith<PackedValue>;
pub type PairEnd = job::PairEnd<PackedValue>;
pub type Reply = message::ReplyWith<PackedValue>;
pub type Return = job::Return<PackedValue>;
pub type ToOperator = message::ToOperatorWith<PackedValue>;
