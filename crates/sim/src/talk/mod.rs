//! What models read and say, whatever the company: the same answer to the same question.

mod answer;
mod prompt;

pub(crate) use answer::{Answer, Finish, Tool, Wish, counts_of_piece};
pub(crate) use prompt::{Input, Prompt};
