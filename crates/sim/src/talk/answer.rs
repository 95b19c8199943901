//! What the model says: decided by the question, the same every time.
//!
//! `words:300` in the last message asks for an answer of that many words.

use serde_json::{Value, json};

use super::Prompt;
use crate::{
    prices::{Kind, Model},
    quantities::Meter,
    schema, tokens,
};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCall,
}

/// What is to be answered, and how.
pub(crate) struct Wish<'a> {
    pub(crate) model: &'a Model,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: &'a Value,
    /// `{"type": "json_schema", …}` and the like.
    pub(crate) format: &'a Value,
    /// The most tokens, thinking included.
    pub(crate) most_tokens: Option<u64>,
    pub(crate) effort: Option<&'a str>,
}

/// A function that may be called.
pub(crate) struct Tool {
    name: String,
    parameters: Value,
}

impl Tool {
    /// The functions of a request, in any company's shape.
    pub(crate) fn read_all(tools: &Value) -> Vec<Self> {
        let tools = tools.as_array().into_iter().flatten();
        tools
            .filter_map(|tool| {
                let function = tool.get("function").unwrap_or(tool);
                let name = function["name"].as_str()?.to_owned();
                let parameters = function
                    .get("parameters")
                    .or_else(|| function.get("input_schema"));
                Some(Self {
                    name,
                    parameters: parameters.cloned().unwrap_or_default(),
                })
            })
            .collect()
    }
}

/// An answer, token by token.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The function, where it is a call and the pieces are its arguments.
    pub(crate) tool: Option<String>,
    pub(crate) pieces: Vec<String>,
    pub(crate) reasoning: u64,
    pub(crate) finish: Finish,
}

impl Answer {
    /// The answer to a prompt; `variant` tells several answers apart.
    pub(crate) fn to(prompt: &Prompt, wish: &Wish<'_>, variant: u64) -> Self {
        let tool = wish.tool_to_call(prompt);
        let text = match tool {
            Some(tool) => schema::instance(&tool.parameters).to_string(),
            None => wish.text(prompt, variant),
        };
        let name_tokens = tool.map_or(0, |tool| tokens::count(&tool.name));
        let most = wish.most_tokens.unwrap_or(u64::MAX);
        let reasoning = wish.reasoning_tokens().min(most);
        let room = most.saturating_sub(reasoning).saturating_sub(name_tokens);
        let all = tokens::count(&text);
        let pieces = tokens::pieces(&text).take(usize::try_from(room).unwrap_or(usize::MAX));
        let finish = match tool {
            _ if all > room => Finish::Length,
            Some(_) => Finish::ToolCall,
            None => Finish::Stop,
        };
        Self {
            tool: tool.map(|tool| tool.name.clone()),
            pieces: pieces.map(str::to_owned).collect(),
            reasoning,
            finish,
        }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// What a whole answer says of its own length: text and thinking.
    pub(crate) fn tokens(&self) -> u64 {
        self.name_tokens() + tokens::count(&self.text()) + self.reasoning
    }

    fn name_tokens(&self) -> u64 {
        self.tool.as_deref().map_or(0, tokens::count)
    }

    /// What is billed when its beginning goes out: the thinking, and the function's name.
    pub(crate) fn counts_of_beginning(&self) -> Vec<(Meter, u64)> {
        vec![
            (Meter::OutputTokens, self.reasoning + self.name_tokens()),
            (Meter::ReasoningTokens, self.reasoning),
        ]
    }

    /// What is billed when it goes out whole.
    pub(crate) fn counts(&self) -> Vec<(Meter, u64)> {
        let mut counts = self.counts_of_beginning();
        counts.push((Meter::OutputTokens, self.pieces.len() as u64));
        counts
    }
}

/// What is billed for one piece.
pub(crate) fn counts_of_piece() -> Vec<(Meter, u64)> {
    vec![(Meter::OutputTokens, 1)]
}

impl Wish<'_> {
    fn tool_to_call(&self, prompt: &Prompt) -> Option<&Tool> {
        if prompt.after_tool {
            return None;
        }
        let choice = self.tool_choice;
        let named = choice["function"]["name"]
            .as_str()
            .or_else(|| choice["name"].as_str());
        if let Some(name) = named {
            return self.tools.iter().find(|tool| tool.name == name);
        }
        match choice.as_str().unwrap_or("auto") {
            "none" => None,
            "required" => self.tools.first(),
            _ => {
                let question = prompt.last_user.to_lowercase();
                let asked = |tool: &&Tool| question.contains(&tool.name.to_lowercase());
                let any = || {
                    question
                        .contains("tool")
                        .then(|| self.tools.first())
                        .flatten()
                };
                self.tools.iter().find(asked).or_else(any)
            }
        }
    }

    fn text(&self, prompt: &Prompt, variant: u64) -> String {
        let schema = self
            .format
            .pointer("/json_schema/schema")
            .or_else(|| self.format.get("schema"));
        let plain = plain_text(prompt, variant);
        match self.format["type"].as_str() {
            Some("json_schema") => schema.map_or_else(
                || "{}".to_owned(),
                |schema| schema::instance(schema).to_string(),
            ),
            Some("json_object") => json!({"answer": plain}).to_string(),
            _ => plain,
        }
    }

    /// How long a reasoning model thinks.
    fn reasoning_tokens(&self) -> u64 {
        if self.model.kind != (Kind::Chat { reasons: true }) {
            return 0;
        }
        match self.effort {
            Some("none" | "minimal") => 0,
            Some("low") => 16,
            Some("high") => 192,
            Some("xhigh" | "max") => 512,
            _ => 64,
        }
    }
}

fn plain_text(prompt: &Prompt, variant: u64) -> String {
    if let Some(words) = words_asked(&prompt.last_user) {
        let words: Vec<String> = (1..=words).map(|number| format!("word{number}")).collect();
        return words.join(" ");
    }
    let beginning: String = prompt.last_user.chars().take(40).collect();
    let again = if variant == 0 {
        String::new()
    } else {
        format!(" (answer {})", variant + 1)
    };
    format!(
        "You sent {} words in {} messages; the last began with “{beginning}”.{again}",
        prompt.words, prompt.messages
    )
}

fn words_asked(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("words:")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|words| *words <= 100_000)
}
