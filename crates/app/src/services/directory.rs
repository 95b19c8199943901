//! Putting together the services that are built in and those that files declare.

use std::{collections::BTreeMap, fmt};

use diamond_domain::ServiceId;
use diamond_pricing::{Catalog, CatalogError};
use diamond_providers::{
    Declaration, DeclarationError, DeclarationProblem, DeclaredService, Registry, SHIPPED,
};

/// Where a service comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceOrigin {
    /// An adapter of its own.
    BuiltIn,
    /// A declaration that is built in.
    Shipped(String),
    /// A declaration of the operator's.
    File(String),
}

/// A declaration of the operator's.
#[derive(Debug, Clone)]
pub struct DeclaredFile {
    /// What the file is called in errors and lists.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Declarations that cannot be used: everything that is wrong, file by file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnusableDeclarations(pub Vec<DeclarationError>);

impl fmt::Display for UnusableDeclarations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("services are declared that cannot be used:")?;
        for error in &self.0 {
            write!(f, "\n{error}")?;
        }
        f.write_str(
            "\ncorrect the files (`diamond ai services:check FILE` says the same of one file), or \
             take them out of the folder",
        )
    }
}

/// Which services there are by whose word.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    origins: BTreeMap<ServiceId, ServiceOrigin>,
    codes: BTreeMap<String, ServiceId>,
}

impl Directory {
    /// Adds to the services that are built in those that are declared, with their prices. A file
    /// of the operator's takes the place of a shipped declaration of the same name, and never of
    /// an adapter.
    ///
    /// # Errors
    /// [`UnusableDeclarations`], all of them.
    pub fn assemble(
        built_in: Registry,
        catalog: Catalog,
        files: &[DeclaredFile],
    ) -> Result<(Self, Registry, Catalog), UnusableDeclarations> {
        let mut directory = Self::default();
        for (service, provider) in built_in.iter() {
            let code = provider.descriptor().component_code.to_string();
            directory.put(service.clone(), code, ServiceOrigin::BuiltIn);
        }
        let mut errors = Vec::new();
        let mut declared: BTreeMap<ServiceId, Declaration> = BTreeMap::new();
        let mut prices = catalog;
        let own = files
            .iter()
            .map(|file| (file.name.as_str(), file.text.as_str(), true));
        let shipped = SHIPPED.iter().map(|(name, text)| (*name, *text, false));
        let own_names = named_by(files);
        for (name, text, is_own) in own.chain(shipped) {
            let replaced =
                |service: &ServiceId| name.strip_suffix(".toml") == Some(service.as_str());
            if !is_own && own_names.iter().any(replaced) {
                continue;
            }
            let (declaration, with_prices) = match directory.read(name, text, &prices) {
                Ok(read) => read,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let service = declaration.service().clone();
            let code = declaration.descriptor().component_code.to_string();
            let origin = if is_own {
                ServiceOrigin::File(name.to_owned())
            } else {
                ServiceOrigin::Shipped(name.to_owned())
            };
            directory.put(service.clone(), code, origin);
            prices = with_prices;
            declared.insert(service, declaration);
        }
        if !errors.is_empty() {
            return Err(UnusableDeclarations(errors));
        }
        let providers = built_in
            .iter()
            .map(|(_, provider)| provider.clone())
            .chain(declared.into_values().map(DeclaredService::provider));
        let registry = Registry::of(providers.collect::<Vec<_>>());
        Ok((directory, registry, prices))
    }

    /// Where a service comes from.
    #[must_use]
    pub fn origin(&self, service: &ServiceId) -> ServiceOrigin {
        let origin = self.origins.get(service).cloned();
        origin.unwrap_or(ServiceOrigin::BuiltIn)
    }

    /// Everything that is wrong with a text beside the services that there are.
    #[must_use]
    pub fn problems_of(
        &self,
        file: &str,
        text: &str,
        catalog: &Catalog,
    ) -> Vec<DeclarationProblem> {
        // Its place is free: a file may be checked again, and take the place of another.
        let mut without = self.clone();
        if let Ok(declaration) = Declaration::read(file, text) {
            let service = declaration.service();
            if self.origin_of_declared(service) {
                without.origins.remove(service);
                without.codes.retain(|_, of| of != service);
            }
        }
        match without.read(file, text, catalog) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems,
        }
    }

    fn origin_of_declared(&self, service: &ServiceId) -> bool {
        let origin = self.origins.get(service);
        origin.is_some_and(|origin| *origin != ServiceOrigin::BuiltIn)
    }

    fn put(&mut self, service: ServiceId, code: String, origin: ServiceOrigin) {
        self.codes.insert(code, service.clone());
        self.origins.insert(service, origin);
    }

    /// Reads a text beside those that were read before it; the catalog with its prices.
    fn read(
        &self,
        file: &str,
        text: &str,
        catalog: &Catalog,
    ) -> Result<(Declaration, Catalog), DeclarationError> {
        let declaration = Declaration::read(file, text)?;
        let service = declaration.service();
        let mut problems = Vec::new();
        if let Some(other) = self.origins.get(service) {
            let other = match other {
                ServiceOrigin::BuiltIn => "the program itself",
                ServiceOrigin::Shipped(name) | ServiceOrigin::File(name) => name,
            };
            let message =
                format!("`{service}` is declared by {other} already: give it another `name`");
            problems.push(declaration.problem_with_service(message));
        }
        let code = &*declaration.descriptor().component_code;
        if let Some(other) = self.codes.get(code).filter(|other| *other != service) {
            let message = format!(
                "`component_code` {code} is the one of `{other}`: give `{service}` one of its own"
            );
            problems.push(declaration.problem_with_service(message));
        }
        let catalog = match catalog.clone().with_service(file, declaration.prices()) {
            Ok(catalog) => Some(catalog),
            Err(error) => {
                problems.extend(problems_of_prices(&declaration, &error));
                None
            }
        };
        match catalog {
            Some(catalog) if problems.is_empty() => Ok((declaration, catalog)),
            _ => Err(DeclarationError {
                file: file.to_owned(),
                problems,
            }),
        }
    }
}

/// The services that readable files of the operator's declare.
fn named_by(files: &[DeclaredFile]) -> Vec<ServiceId> {
    let read = files
        .iter()
        .filter_map(|file| Declaration::read(&file.name, &file.text).ok());
    read.map(|declaration| declaration.service().clone())
        .collect()
}

/// What is wrong with the price rows, each at its row.
fn problems_of_prices(declaration: &Declaration, error: &CatalogError) -> Vec<DeclarationProblem> {
    let problems = error.problems.iter().map(|problem| {
        // `FILE, model 3 (`name`)`, or a row's own name.
        let number = problem.row.rsplit_once(", model ").and_then(|(_, rest)| {
            let digits = rest.split(' ').next()?;
            digits.parse::<usize>().ok()?.checked_sub(1)
        });
        match number {
            Some(row) => declaration.problem_in_model(row, problem.reason.clone()),
            None => {
                let message = format!("{}: {}", problem.row, problem.reason);
                declaration.problem_with_service(message)
            }
        }
    });
    problems.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> DeclaredFile {
        DeclaredFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    fn shipped(name: &str) -> &'static str {
        SHIPPED.iter().find(|(file, _)| *file == name).unwrap().1
    }

    fn assembled(
        files: &[DeclaredFile],
    ) -> Result<(Directory, Registry, Catalog), UnusableDeclarations> {
        Directory::assemble(
            diamond_providers::all(),
            Catalog::embedded().unwrap(),
            files,
        )
    }

    #[test]
    fn what_is_shipped_stands_beside_what_is_built_in() {
        let (directory, registry, catalog) = assembled(&[]).unwrap();
        let groq: ServiceId = "groq".parse().unwrap();
        let openai: ServiceId = "openai".parse().unwrap();
        assert_eq!(directory.origin(&openai), ServiceOrigin::BuiltIn);
        assert_eq!(
            directory.origin(&groq),
            ServiceOrigin::Shipped("groq.toml".into())
        );
        assert!(registry.get(&groq).is_some() && registry.get(&openai).is_some());
        assert_eq!(catalog.component_code(&groq), Some("18-GROQ"));
        assert!(catalog.models(&groq).count() > 3);
    }

    #[test]
    fn an_operators_file_takes_the_place_of_a_shipped_one_alone() {
        let text = shipped("groq.toml").replace("https://api.groq.com", "https://groq.example");
        let (directory, registry, _) = assembled(&[file("own/groq.toml", &text)]).unwrap();
        let groq: ServiceId = "groq".parse().unwrap();
        assert_eq!(
            directory.origin(&groq),
            ServiceOrigin::File("own/groq.toml".into())
        );
        let base = registry
            .get(&groq)
            .unwrap()
            .descriptor()
            .base_url()
            .map(str::to_owned);
        assert_eq!(base.as_deref(), Some("https://groq.example"));
        for (from, to, said) in [
            ("\"groq\"", "\"openai\"", "declared by the program itself"),
            ("18-GROQ", "15-OPENAI", "is the one of `openai`"),
            ("0.15 / 1000000", "much", "much"),
            ("valid_from = 2026-10-01", "valid_from = 2026", "valid_from"),
        ] {
            let changed = shipped("groq.toml").replace(from, to);
            assert_ne!(changed, shipped("groq.toml"), "{from}");
            let error = assembled(&[file("own/groq.toml", &changed)]).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("own/groq.toml:") && text.contains(said),
                "{text}"
            );
        }
        let twice = [file("a.toml", &text), file("b.toml", &text)];
        let error = assembled(&twice).unwrap_err().to_string();
        assert!(error.contains("declared by a.toml already"), "{error}");
    }

    #[test]
    fn a_bad_price_is_told_at_its_row() {
        let text = shipped("groq.toml");
        let line = 1 + text[..text.find("name = \"openai/gpt-oss-20b\"").unwrap()]
            .matches('\n')
            .count();
        let changed = text.replace("0.3 / 1000000", "-1");
        let (directory, _, catalog) = assembled(&[]).unwrap();
        let problems = directory.problems_of("groq.toml", &changed, &catalog);
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert!(lines.contains(&(line - 1)), "{line}: {problems:?}");
        assert_eq!(directory.problems_of("groq.toml", text, &catalog), []);
    }
}
