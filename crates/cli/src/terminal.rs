//! Where a command reads and writes.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A key or token has at most so many bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Standard input, output and error; buffers in tests.
pub struct Terminal {
    input: Box<dyn BufRead>,
    input_is_person: bool,
    errors_are_seen: bool,
    output: Box<dyn Write>,
    errors: Box<dyn Write>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("input_is_person", &self.input_is_person)
            .finish()
    }
}

impl Terminal {
    /// The process's own.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            input: Box::new(BufReader::new(io::stdin())),
            input_is_person: io::stdin().is_terminal(),
            errors_are_seen: io::stderr().is_terminal(),
            output: Box::new(io::stdout()),
            errors: Box::new(io::stderr()),
        }
    }

    /// One that reads the given bytes as if they were piped in, and writes to the given places.
    #[must_use]
    pub fn piped(
        input: Vec<u8>,
        output: impl Write + 'static,
        errors: impl Write + 'static,
    ) -> Self {
        Self {
            input: Box::new(io::Cursor::new(input)),
            input_is_person: false,
            errors_are_seen: false,
            output: Box::new(output),
            errors: Box::new(errors),
        }
    }

    /// A bar of this template (`indicatif`'s) on standard error, for work that takes its time; drawn
    /// only when somebody sees it.
    #[must_use]
    pub fn bar(&self, template: &str) -> ProgressBar {
        let target = match self.errors_are_seen {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Writes a line of data.
    pub fn data(&mut self, line: &str) -> Result<(), Failure> {
        let written = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
        match written {
            // Whoever reads has seen enough (`| head`): that is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Says something to the person. That it cannot be said changes nothing.
    pub fn message(&mut self, line: &str) {
        let _ = writeln!(self.errors, "{line}");
    }

    /// Reads a secret: from the pipe, or from the keyboard without showing it. The line end that
    /// editors and `echo` add is not part of it.
    pub fn secret(&mut self, what: &str) -> Result<Zeroizing<String>, Failure> {
        let mut text = if self.input_is_person {
            Zeroizing::new(rpassword::prompt_password(format!("{what} (not shown): "))?)
        } else {
            let mut text = Zeroizing::new(String::new());
            self.input
                .by_ref()
                .take(SECRET_BYTES_MAX)
                .read_to_string(&mut text)
                .map_err(|_| Failure::input(format!("the {what} on standard input is not text")))?;
            text
        };
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
        if text.is_empty() {
            return Err(Failure::input_with_hint(
                format!("there is no {what} on standard input"),
                "pipe it in, for instance from a file: … < key-file",
            ));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::input(format!(
                "the {what} has spaces, line ends or letters beyond ASCII inside"
            )));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Result<String, String> {
        let mut terminal = Terminal::piped(input.into(), io::sink(), io::sink());
        terminal
            .secret("key")
            .map(|text| text.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_line_end_is_not_part_of_a_secret() {
        assert_eq!(read("sk-1\n").unwrap(), "sk-1");
        assert_eq!(read("sk-1\r\n").unwrap(), "sk-1");
        assert!(read("\n").unwrap_err().contains("no key"));
        let refused = read("sk-1 sk-2\n").unwrap_err();
        assert!(refused.contains("spaces") && !refused.contains("sk-1"));
    }
}
