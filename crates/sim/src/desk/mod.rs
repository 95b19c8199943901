//! The counter that every company stands behind: key, limits, faults, handler, bill, head, body.
//!
//! What differs between two companies is a [`Company`]: its routes, where a key stands in a
//! request, and how it words a refusal and heads an answer.

mod company;
mod outgoing;
mod refusal;
mod route;
mod send;
mod served;

pub(crate) use company::{Company, Head};
pub(crate) use refusal::{REQUEST_ID, Refusal, Trouble, Whose};
pub(crate) use route::{
    Access, Route, Verb, delete, get, managed, open, paid, patch, post, scoped, socket,
};
pub(crate) use send::answer;
pub(crate) use served::{Charge, Content, Context, Failure, Served};
