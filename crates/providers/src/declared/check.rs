//! From the shape of a declaration to the declaration, with everything that is wrong with it.

use std::{collections::BTreeMap, ops::Range};

use diamond_domain::{Meter, ServiceId};
use http::{HeaderName, HeaderValue, Method};
use toml::Spanned;

use super::{
    json_path::JsonPath,
    manage::{self, Change, Create, List, Plan},
    problem::{DeclarationError, DeclarationProblem, Problems},
    request::RequestPlaces,
    routes::{self, Carry, Measure, PathPattern, Row},
    service::{UsualHeader, owned},
    template::Template,
    text,
    usage::{Unit, UsagePlaces},
    verdict::{Kind, Rule, SCOPES},
};
use crate::{BodyKind, Capabilities, Descriptor, LimitScope, Metering, Minting, Placement, Region};

/// A longer file is none.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// A scan looks for no more.
const PLACES_MAX: usize = 32;

/// A call that proves a key.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Template>,
}

/// A declaration in which nothing is wrong.
#[derive(Debug, Clone)]
pub struct Declaration {
    pub(super) service: ServiceId,
    pub(super) descriptor: Descriptor,
    pub(super) headers: Vec<UsualHeader>,
    pub(super) request_id: Option<HeaderName>,
    pub(super) validation: Option<Probe>,
    pub(super) request: RequestPlaces,
    pub(super) usage: Vec<UsagePlaces>,
    pub(super) rows: Vec<Row>,
    pub(super) verdicts: Vec<Rule>,
    pub(super) error_body: Template,
    pub(super) management: Option<Plan>,
    prices: String,
    model_lines: Vec<(usize, usize)>,
    name_line: (usize, usize),
}

impl Declaration {
    /// Reads a text; `file` is what it is called in errors.
    ///
    /// # Errors
    /// Everything that is wrong with the text, with its places. A text that is no TOML, or has
    /// names that are unknown, has one problem: the first.
    pub fn read(file: &str, text: &str) -> Result<Self, DeclarationError> {
        let fail = |problems| DeclarationError {
            file: file.to_owned(),
            problems,
        };
        let mut problems = Problems::of(text);
        if text.len() > TEXT_BYTES_MAX {
            problems.say(
                0..0,
                format!("the file is longer than {TEXT_BYTES_MAX} bytes"),
            );
            return Err(fail(problems.into_list()));
        }
        let raw: text::File = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                let message = error.message().trim_end().replace('\n', ", ");
                problems.say(error.span().unwrap_or(0..0), message);
                return Err(fail(problems.into_list()));
            }
        };
        let mut reading = Reading { problems };
        let declaration = reading.file(raw, text);
        let problems = reading.problems.into_list();
        match declaration {
            Some(declaration) if problems.is_empty() => Ok(declaration),
            _ => Err(fail(problems)),
        }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &ServiceId {
        &self.service
    }

    /// What it is and what it can do.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its prices, in the format of the price catalog.
    #[must_use]
    pub fn prices(&self) -> &str {
        &self.prices
    }

    /// A problem with the price row of this number, from 0.
    #[must_use]
    pub fn problem_in_model(&self, row: usize, message: String) -> DeclarationProblem {
        let (line, column) = self.model_lines.get(row).copied().unwrap_or(self.name_line);
        DeclarationProblem {
            line,
            column,
            message,
        }
    }

    /// A problem with the service as a whole: another one has its name or its code.
    #[must_use]
    pub const fn problem_with_service(&self, message: String) -> DeclarationProblem {
        DeclarationProblem {
            line: self.name_line.0,
            column: self.name_line.1,
            message,
        }
    }
}

struct Reading<'a> {
    problems: Problems<'a>,
}

impl Reading<'_> {
    fn say(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.problems.say(at, message);
    }

    fn file(&mut self, raw: text::File, text: &str) -> Option<Declaration> {
        let service = match raw.name.get_ref().parse::<ServiceId>() {
            Ok(service) => Some(service),
            Err(error) => {
                self.say(raw.name.span(), format!("`name`: {error}"));
                None
            }
        };
        self.component_code(&raw.component_code);
        if raw.display_name.get_ref().trim().is_empty() {
            self.say(raw.display_name.span(), "`display_name` is empty");
        }
        if raw.sources.get_ref().is_empty() {
            let message = "`sources` is empty: say which pages or files the facts are from";
            self.say(raw.sources.span(), message);
        }
        let placements = self.placements(&raw.credential);
        let regions = self.regions(&raw.region);
        let headers = self.headers(&raw.headers);
        let request_id = raw
            .request_id
            .as_ref()
            .and_then(|name| self.header_name(name));
        let validation = raw.validation.as_ref().and_then(|probe| self.probe(probe));
        let request = self.request(&raw.request);
        let (names, usage) = self.usages(&raw.usage);
        let rows = self.rows(&raw.route, &names);
        let verdicts = raw
            .verdict
            .iter()
            .filter_map(|rule| self.rule(rule))
            .collect();
        let error_body = self.error_body(raw.error_body.as_ref());
        let management = raw
            .management
            .as_ref()
            .and_then(|plan| self.management(plan));
        let place = |span: Range<usize>| {
            let mut problems = Problems::of(text);
            problems.say(span, "");
            let first = problems.into_list().into_iter().next();
            first.map_or((1, 1), |problem| (problem.line, problem.column))
        };
        let model_lines = raw.model.iter().map(|row| place(row.span())).collect();
        let name_line = place(raw.name.span());
        let prices = prices(&raw);
        let has = |of: &dyn Fn(&Plan) -> bool| management.as_ref().is_some_and(of);
        let capabilities = Capabilities {
            minting: if has(&|plan| plan.create.is_some()) {
                Minting::Api
            } else {
                Minting::Person
            },
            list: management.is_some(),
            revoke: has(&|plan| plan.revoke.is_some()),
            disable: has(&|plan| plan.switch.is_some()),
            expiry: has(&|plan| plan.expiry),
            permissions: false,
            usage_limit: has(&|plan| plan.usage_limit),
            addresses: false,
            short_lived: false,
            shared_concurrency: raw.facts.shared_concurrency,
        };
        let retired_since = raw.facts.retired_since.map(Spanned::into_inner);
        Some(Declaration {
            service: service?,
            descriptor: Descriptor {
                display_name: owned(raw.display_name.into_inner()),
                component_code: owned(raw.component_code.into_inner()),
                regions,
                placements,
                capabilities,
                retired_since: retired_since.map(owned),
            },
            headers,
            request_id,
            validation,
            request,
            usage,
            rows,
            verdicts,
            error_body: error_body?,
            management,
            prices: prices?,
            model_lines,
            name_line,
        })
    }

    /// `18-GROQ`: a number, a hyphen, capital letters and digits.
    fn component_code(&mut self, code: &Spanned<String>) {
        let text = code.get_ref();
        let fits = text.split_once('-').is_some_and(|(number, name)| {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            (2..=4).contains(&number.len())
                && digits(number)
                && (2..=24).contains(&name.len())
                && name.bytes().all(plain)
        });
        if !fits {
            let message = format!(
                "`component_code` is `{text}`: it must be a number of 2 to 4 digits, a hyphen and \
                 capital letters, such as `18-GROQ`"
            );
            self.say(code.span(), message);
        }
    }

    fn placements(&mut self, raw: &Spanned<Vec<Spanned<text::Credential>>>) -> Vec<Placement> {
        let mut placements = Vec::new();
        for credential in raw.get_ref() {
            let text::Credential {
                header,
                scheme,
                query,
                subprotocol,
            } = credential.get_ref();
            placements.extend(match (header, query, subprotocol) {
                (Some(name), None, None) if is_header(name) => {
                    let scheme = scheme.clone();
                    if scheme.as_deref().is_some_and(|word| !is_word(word)) {
                        self.say(credential.span(), "`scheme` must be one word");
                    }
                    Some(Placement::Header {
                        name: owned(name.clone()),
                        scheme: scheme.map(owned),
                    })
                }
                (Some(name), None, None) => {
                    let message = format!("`{name}` is no name of a header in lower case");
                    self.say(credential.span(), message);
                    None
                }
                (None, Some(name), None) if is_word(name) && scheme.is_none() => {
                    Some(Placement::Query {
                        name: owned(name.clone()),
                    })
                }
                (None, None, Some(before)) if is_word(before) && scheme.is_none() => {
                    Some(Placement::Subprotocol {
                        before: owned(before.clone()),
                    })
                }
                _ => {
                    let message = "a credential stands in one of `header` (with `scheme`, if the \
                                   provider wants a word before the key), `query` or `subprotocol`";
                    self.say(credential.span(), message);
                    None
                }
            });
        }
        let in_header = |placement: &Placement| matches!(placement, Placement::Header { .. });
        if !placements.iter().any(in_header) {
            let message = "no credential stands in a header: the key always travels in one, never \
                           in an address";
            self.say(raw.span(), message);
        }
        placements
    }

    fn regions(&mut self, raw: &Spanned<Vec<text::Region>>) -> Vec<Region> {
        if raw.get_ref().is_empty() {
            self.say(raw.span(), "no [[region]]: say where the API is");
        }
        let mut regions: Vec<Region> = Vec::new();
        for region in raw.get_ref() {
            let name = region.name.get_ref();
            if !is_word(name) || regions.iter().any(|other| other.name == name.as_str()) {
                let message = format!("`{name}` is no name of a region, or stands here twice");
                self.say(region.name.span(), message);
            }
            self.address(&region.base_url, "https");
            if let Some(socket) = &region.websocket_url {
                self.address(socket, "wss");
            }
            regions.push(Region {
                name: owned(name.clone()),
                base_url: owned(region.base_url.get_ref().clone()),
                websocket_url: region
                    .websocket_url
                    .as_ref()
                    .map(|address| owned(address.get_ref().clone())),
                retired_since: region.retired_since.clone().map(owned),
            });
        }
        regions
    }

    fn address(&mut self, address: &Spanned<String>, scheme: &str) {
        let text = address.get_ref();
        let fits = text.parse::<http::Uri>().is_ok_and(|url| {
            url.scheme_str() == Some(scheme)
                && url.host().is_some_and(|host| !host.is_empty())
                && url.query().is_none()
                && !url
                    .authority()
                    .is_some_and(|host| host.as_str().contains('@'))
        });
        if !fits || text.ends_with('/') {
            let message =
                format!("`{text}` must be {scheme}://, a host, perhaps a path, and no final slash");
            self.say(address.span(), message);
        }
    }

    fn headers(&mut self, raw: &BTreeMap<String, Spanned<String>>) -> Vec<UsualHeader> {
        let mut headers = Vec::new();
        for (name, value) in raw {
            let parsed = HeaderValue::from_str(value.get_ref());
            match (name.parse::<HeaderName>(), parsed) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                _ => {
                    let message = format!("`{name}` and its value are no header");
                    self.say(value.span(), message);
                }
            }
        }
        headers
    }

    fn header_name(&mut self, name: &Spanned<String>) -> Option<HeaderName> {
        let parsed = name.get_ref().parse();
        if parsed.is_err() {
            let message = format!("`{}` is no name of a header", name.get_ref());
            self.say(name.span(), message);
        }
        parsed.ok()
    }

    fn method(&mut self, method: &Spanned<String>) -> Method {
        match method.get_ref().as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            other => {
                let message = format!("`{other}` is none of GET, POST, PUT, PATCH, DELETE");
                self.say(method.span(), message);
                Method::GET
            }
        }
    }

    /// A path with its query, as it is sent.
    fn sent_path(&mut self, path: &Spanned<String>) -> String {
        let text = path.get_ref();
        let plain = text.replace(manage::ID, "id");
        let fits = plain.starts_with('/')
            && !plain.starts_with("//")
            && plain.parse::<http::uri::PathAndQuery>().is_ok()
            && !plain.contains(['{', '}', '#']);
        if !fits {
            let message = format!("`{text}` is no path: it begins with `/` and has no blanks");
            self.say(path.span(), message);
        }
        text.clone()
    }

    fn template(&mut self, body: &Spanned<toml::Value>, known: &[&str]) -> Option<Template> {
        match Template::read(body.get_ref(), known) {
            Ok(template) => Some(template),
            Err(message) => {
                self.say(body.span(), message);
                None
            }
        }
    }

    fn probe(&mut self, raw: &Spanned<text::Validation>) -> Option<Probe> {
        let probe = raw.get_ref();
        let body = match &probe.body {
            Some(body) => Some(self.template(body, &[])?),
            None => None,
        };
        Some(Probe {
            method: self.method(&probe.method),
            path: self.sent_path(&probe.path),
            body,
        })
    }

    fn path(&mut self, path: &Spanned<String>) -> Option<JsonPath> {
        self.path_of(path.get_ref(), path.span())
    }

    fn path_of(&mut self, text: &str, at: Range<usize>) -> Option<JsonPath> {
        match JsonPath::read(text) {
            Ok(path) => Some(path),
            Err(message) => {
                self.say(at, message);
                None
            }
        }
    }

    fn paths(&mut self, paths: &[Spanned<String>]) -> Vec<JsonPath> {
        paths.iter().filter_map(|path| self.path(path)).collect()
    }

    fn request(&mut self, raw: &text::Request) -> RequestPlaces {
        let places = RequestPlaces {
            model: self.paths(&raw.model),
            stream: self.paths(&raw.stream),
            service_tier: self.paths(&raw.service_tier),
            max_output_tokens: self.paths(&raw.max_output_tokens),
            count: self.paths(&raw.count),
            user: self.paths(&raw.user),
            characters: self.paths(&raw.characters),
            texts: self.paths(&raw.texts),
        };
        if places.count_all() > PLACES_MAX {
            let at = raw.texts.first().or(raw.model.first()).map(Spanned::span);
            let message = format!("[request] names more than {} places", PLACES_MAX - 1);
            self.say(at.unwrap_or(0..0), message);
        }
        places
    }

    fn usages(
        &mut self,
        raw: &BTreeMap<String, Spanned<text::Usage>>,
    ) -> (Vec<String>, Vec<UsagePlaces>) {
        let names = raw.keys().cloned().collect();
        let usage = raw
            .iter()
            .map(|(name, usage)| self.usage(name, usage))
            .collect();
        (names, usage)
    }

    fn usage(&mut self, name: &str, raw: &Spanned<text::Usage>) -> UsagePlaces {
        let usage = raw.get_ref();
        let objects = self.paths(usage.object.get_ref());
        if usage.object.get_ref().is_empty() {
            let message = "`object` is empty: say where the usage object stands, `.` if its \
                           members stand in the answer itself";
            self.say(usage.object.span(), message);
        }
        let mut meters = Vec::new();
        for (meter, places) in &usage.meters {
            meters.extend(self.meter(meter, places));
        }
        let cost = usage.cost.as_ref().and_then(|cost| {
            let units = &cost.get_ref().units_per_dollar;
            if *units.get_ref() == 0 {
                self.say(units.span(), "`units_per_dollar` must be at least 1");
            }
            let path = self.path(&cost.get_ref().path)?;
            Some((path, *units.get_ref()))
        });
        if meters.is_empty() && cost.is_none() {
            let message = format!("[usage.{name}] reads nothing: give it `meters` or `cost`");
            self.say(raw.span(), message);
        }
        let places = UsagePlaces {
            objects,
            models: self.paths(&usage.model),
            tiers: self.paths(&usage.service_tier),
            errors: self.paths(&usage.error),
            texts: self.paths(&usage.texts),
            meters,
            cost,
            last_events: usage.last_event.clone(),
            asked_for_in_streams: usage.asked_for_in_streams,
        };
        let (answer, fields) = places.counts();
        if answer > PLACES_MAX || fields > PLACES_MAX {
            let message = format!("[usage.{name}] names more than {PLACES_MAX} places");
            self.say(raw.span(), message);
        }
        places
    }

    fn meter(
        &mut self,
        name: &str,
        raw: &Spanned<text::Meter>,
    ) -> Option<(Meter, Unit, Vec<JsonPath>)> {
        let at = raw.span();
        let meter = match name.parse::<Meter>() {
            Ok(meter) => meter,
            Err(error) => {
                let known: Vec<&str> = Meter::ALL.iter().map(|meter| meter.as_str()).collect();
                self.say(at, format!("{error}: the meters are {}", known.join(", ")));
                return None;
            }
        };
        let (texts, unit): (&[String], _) = match raw.get_ref() {
            text::Meter::One(path) => (std::slice::from_ref(path), Unit::Count),
            text::Meter::Many(paths) => (paths, Unit::Count),
            text::Meter::WithUnit(with) => {
                let unit = self.word("unit", &with.unit, at.clone(), &Unit::ALL);
                (
                    std::slice::from_ref(&with.path),
                    unit.unwrap_or(Unit::Count),
                )
            }
        };
        if texts.is_empty() {
            self.say(at.clone(), format!("`{name}` names no place"));
        }
        let paths = texts
            .iter()
            .filter_map(|path| self.path_of(path, at.clone()));
        let paths = paths.collect();
        Some((meter, unit, paths))
    }

    /// The thing that a word names.
    fn word<T: Copy>(
        &mut self,
        what: &str,
        word: &str,
        at: Range<usize>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "`{what}` is `{word}`: it must be one of {}",
                names.join(", ")
            );
            self.say(at, message);
        }
        found.map(|(_, thing)| *thing)
    }

    fn rows(&mut self, raw: &Spanned<Vec<Spanned<text::Route>>>, usages: &[String]) -> Vec<Row> {
        if raw.get_ref().is_empty() {
            self.say(raw.span(), "no [[route]]: say which paths there are");
        }
        let mut rows: Vec<Row> = Vec::new();
        for route in raw.get_ref() {
            let Some(row) = self.row(route.get_ref(), usages) else {
                continue;
            };
            let twin = rows.iter().find(|other| other.operation == row.operation);
            if twin.is_some_and(|twin| !reads_alike(&twin.carry, &row.carry)) {
                let message = format!(
                    "`{}` is counted in another way above: rows of one operation are counted alike",
                    row.operation
                );
                self.say(route.get_ref().operation.span(), message);
            }
            rows.push(row);
        }
        rows
    }

    fn row(&mut self, route: &text::Route, usages: &[String]) -> Option<Row> {
        let operation = route.operation.get_ref();
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_')
        };
        if operation.is_empty() || operation.len() > 64 || !operation.bytes().all(plain) {
            let message = format!(
                "`{operation}` is no operation: lower-case letters, digits, `.` and `_`, at most 64"
            );
            self.say(route.operation.span(), message);
        }
        let path = match PathPattern::read(route.path.get_ref()) {
            Ok(path) => Some(path),
            Err(message) => {
                self.say(route.path.span(), message);
                None
            }
        };
        let method = match route.method.get_ref().as_str() {
            "*" => None,
            _ => Some(self.method(&route.method).to_string()),
        };
        let metering = &route.metering;
        let carry = match metering.get_ref().as_str() {
            "management" => Carry::Refuse(routes::MANAGEMENT),
            "websocket" => Carry::Refuse(routes::SOCKET),
            word => {
                const METERINGS: [(&str, Metering); 6] = [
                    ("usage", Metering::Usage),
                    ("measured", Metering::Measured),
                    ("free", Metering::Free),
                    ("deferred", Metering::Deferred),
                    // Refused above; they stand here for the list of what can be said.
                    ("management", Metering::Unknown),
                    ("websocket", Metering::Unknown),
                ];
                let metering = self.word("metering", word, metering.span(), &METERINGS)?;
                self.forward(route, metering, usages)?
            }
        };
        Some(Row {
            method,
            path: path?,
            operation: operation.clone(),
            carry,
        })
    }

    fn forward(
        &mut self,
        route: &text::Route,
        metering: Metering,
        usages: &[String],
    ) -> Option<Carry> {
        let usage = match &route.usage {
            None => None,
            Some(named) => {
                let place = usages.iter().position(|name| name == named.get_ref());
                if place.is_none() {
                    let message = format!("there is no [usage.{}]", named.get_ref());
                    self.say(named.span(), message);
                }
                place
            }
        };
        const MEASURES: [(&str, Measure); 3] = [
            ("characters", Measure::Characters),
            ("sound", Measure::Sound),
            ("calls", Measure::Nothing),
        ];
        let measure = match &route.measure {
            Some(word) => self.word("measure", word.get_ref(), word.span(), &MEASURES)?,
            None => Measure::Nothing,
        };
        match metering {
            Metering::Usage if route.usage.is_none() => {
                let message = "`metering = \"usage\"` needs `usage`: which [usage.NAME] reads the \
                               answer";
                self.say(route.metering.span(), message);
            }
            Metering::Measured if route.measure.is_none() => {
                let message =
                    "`metering = \"measured\"` needs `measure`: characters, sound or calls";
                self.say(route.metering.span(), message);
            }
            _ => {}
        }
        const BODIES: [(&str, BodyKind); 3] = [
            ("json", BodyKind::Json),
            ("form", BodyKind::Multipart),
            ("opaque", BodyKind::Opaque),
        ];
        let body = match &route.body {
            Some(word) => self.word("body", word.get_ref(), word.span(), &BODIES)?,
            None => BodyKind::Opaque,
        };
        Some(Carry::Forward {
            metering,
            body,
            may_stream: route.streams,
            replay_safe: route.replay_safe,
            measure,
            usage,
        })
    }

    fn rule(&mut self, raw: &Spanned<text::Verdict>) -> Option<Rule> {
        let rule = raw.get_ref();
        let kind = self.word(
            "verdict",
            rule.verdict.get_ref(),
            rule.verdict.span(),
            &Kind::ALL,
        );
        let scope = match &rule.scope {
            Some(word) => self.word("scope", word.get_ref(), word.span(), &SCOPES)?,
            None => LimitScope::Organization,
        };
        if rule.status.is_empty() && rule.path.is_none() {
            let message = "a rule needs `status` or `path`: this one would fit every answer";
            self.say(raw.span(), message);
        }
        if rule.path.is_none() && !(rule.is.is_empty() && rule.contains.is_empty()) {
            let message = "`is` and `contains` need `path`: where the text stands (`.` is the \
                           whole body)";
            self.say(raw.span(), message);
        }
        let ends_key = kind == Some(Kind::Invalid);
        if ends_key && rule.path.is_none() && rule.status.iter().any(|status| *status != 401) {
            let message = "only status 401 may end a key by itself: say by `path` and `is` or \
                           `contains` how the provider says that a key is none";
            self.say(raw.span(), message);
        }
        let path = match &rule.path {
            Some(path) => Some(self.path(path)?),
            None => None,
        };
        Some(Rule {
            status: rule.status.clone(),
            path,
            is: rule.is.clone(),
            contains: rule.contains.clone(),
            kind: kind?,
            scope,
        })
    }

    fn error_body(&mut self, raw: Option<&Spanned<toml::Value>>) -> Option<Template> {
        const WORDS: [&str; 4] = ["message", "code", "type", "status"];
        if let Some(body) = raw {
            return self.template(body, &WORDS);
        }
        let text = |text: &str| toml::Value::String(text.to_owned());
        let mut error = toml::Table::new();
        for word in ["message", "type", "code"] {
            error.insert(word.to_owned(), text(&format!("${word}")));
        }
        let mut body = toml::Table::new();
        body.insert("error".to_owned(), toml::Value::Table(error));
        let usual = Spanned::new(0..0, toml::Value::Table(body));
        self.template(&usual, &WORDS)
    }

    fn management(&mut self, raw: &Spanned<text::Management>) -> Option<Plan> {
        let plan = raw.get_ref();
        let create = match &plan.create {
            Some(create) => Some(self.create(create.get_ref())?),
            None => None,
        };
        let list = plan.list.get_ref();
        let mut optional = |path: &Option<Spanned<String>>| match path {
            Some(path) => self.path(path),
            None => None,
        };
        let list = List {
            name: optional(&list.name),
            hint: optional(&list.hint),
            disabled: optional(&list.disabled),
            created_at: optional(&list.created_at),
            expires_at: optional(&list.expires_at),
            path: self.sent_path(&list.path),
            items: self.path(&list.items)?,
            id: self.path(&list.id)?,
            offset_parameter: list.offset_parameter.as_ref().map(|name| {
                if !is_word(name.get_ref()) {
                    self.say(name.span(), "`offset_parameter` must be one word");
                }
                name.get_ref().clone()
            }),
        };
        let revoke = match &plan.revoke {
            Some(revoke) => Some(self.change(revoke, &[])?),
            None => None,
        };
        let switch = match &plan.switch {
            Some(switch) => Some(self.change(switch, &manage::SWITCH_WORDS)?),
            None => None,
        };
        Some(Plan {
            validation: self.sent_path(&plan.validation),
            create,
            list,
            revoke,
            switch,
            expiry: plan.expiry,
            usage_limit: plan.usage_limit,
            keys_max: plan.keys_max,
        })
    }

    fn create(&mut self, create: &text::Create) -> Option<Create> {
        let expires_at = match &create.expires_at {
            Some(path) => Some(self.path(path)?),
            None => None,
        };
        Some(Create {
            method: self.method(&create.method),
            path: self.sent_path(&create.path),
            body: self.template(&create.body, &manage::CREATE_WORDS)?,
            value: self.path(&create.value)?,
            id: self.path(&create.id)?,
            expires_at,
        })
    }

    fn change(&mut self, raw: &Spanned<text::Change>, words: &[&str]) -> Option<Change> {
        let change = raw.get_ref();
        let path = self.sent_path(&change.path);
        let body = match &change.body {
            Some(body) => Some(self.template(body, words)?),
            None => None,
        };
        if !path.contains(manage::ID) {
            let message = "`path` must hold `{id}`, in whose place the key's id is sent";
            self.say(change.path.span(), message);
        }
        Some(Change {
            method: self.method(&change.method),
            path,
            body,
        })
    }
}

/// Whether the answers of two rows are counted in one way.
fn reads_alike(one: &Carry, other: &Carry) -> bool {
    match (one, other) {
        (Carry::Refuse(_), Carry::Refuse(_)) => true,
        (
            Carry::Forward {
                metering,
                measure,
                usage,
                ..
            },
            Carry::Forward {
                metering: metering_too,
                measure: measure_too,
                usage: usage_too,
                ..
            },
        ) => metering == metering_too && measure == measure_too && usage == usage_too,
        _ => false,
    }
}

/// The prices as a text of the price catalog; `None` never for what was read.
fn prices(raw: &text::File) -> Option<String> {
    let texts = |words: &[String]| {
        let words = words.iter().cloned().map(toml::Value::String);
        toml::Value::Array(words.collect())
    };
    let mut words = toml::Table::new();
    let code = raw.component_code.get_ref().clone();
    words.insert("component_code".into(), toml::Value::String(code));
    words.insert("neutral_tiers".into(), texts(&raw.prices.neutral_tiers));
    let aliases = raw.prices.tier_aliases.iter();
    let aliases = aliases.map(|(word, tier)| (word.clone(), toml::Value::String(tier.clone())));
    words.insert("tier_aliases".into(), toml::Value::Table(aliases.collect()));
    let modifiers = texts(&raw.prices.neutral_modifiers);
    words.insert("neutral_modifiers".into(), modifiers);
    let mut services = toml::Table::new();
    services.insert(raw.name.get_ref().clone(), toml::Value::Table(words));
    let mut catalog = toml::Table::new();
    catalog.insert("services".into(), toml::Value::Table(services));
    let models = raw.model.iter().map(|row| row.get_ref().clone());
    catalog.insert("model".into(), toml::Value::Array(models.collect()));
    toml::to_string(&catalog).ok()
}

fn is_header(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_uppercase()) && name.parse::<HeaderName>().is_ok()
}

/// Visible letters without what separates things in headers and addresses.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}
