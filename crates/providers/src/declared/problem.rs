//! What is wrong with a declaration, and where.

use std::{fmt, ops::Range};

/// One thing that is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclarationProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column, in letters from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Everything that is wrong with a declaration, in the order of its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DeclarationError {
    /// The file's name.
    pub file: String,
    /// The problems; never empty.
    pub problems: Vec<DeclarationProblem>,
}

impl fmt::Display for DeclarationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            let DeclarationProblem {
                line,
                column,
                message,
            } = problem;
            let end = if place == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

/// Collects what is wrong while the reading goes on.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl<'a> Problems<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Something is wrong here.
    pub(super) fn say(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.found.push((at.start, message.into()));
    }

    /// Everything that was found, in the order of the text.
    pub(super) fn into_list(mut self) -> Vec<DeclarationProblem> {
        self.found.sort_by_key(|(start, _)| *start);
        let place = |start: usize| {
            let before = &self.text[..self.text.floor_char_boundary(start)];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|letter| *letter != '\n');
            (line, column.count() + 1)
        };
        let problem = |(start, message): &(usize, String)| {
            let (line, column) = place(*start);
            DeclarationProblem {
                line,
                column,
                message: message.clone(),
            }
        };
        self.found.iter().map(problem).collect()
    }
}
