//! The AI services: adapters, declarations that are built in, and the operator's own, with prices.

use std::{fs, path::Path};

use anyhow::Context as _;
use diamond_app::{DeclaredFile, Directory};
use diamond_pricing::Catalog;
use diamond_providers::Registry;

use crate::config::Config;

/// Every service, where it comes from, and every price: the operator's price file goes on top.
pub(super) fn open_services(config: &Config) -> anyhow::Result<(Directory, Registry, Catalog)> {
    let catalog = Catalog::embedded().context("the embedded price catalog is broken")?;
    let files = declared_files(&config.declared_services.dir)?;
    let (directory, registry, catalog) =
        Directory::assemble(diamond_providers::all(), catalog, &files)?;
    for service in config.services.keys() {
        anyhow::ensure!(
            registry.get(service).is_some(),
            "`services.{service}` is set, but there is no such service: correct the name, or \
             declare it in a file of `declared_services.dir`"
        );
    }
    let path = &config.costs.price_file;
    if path.as_os_str().is_empty() {
        return Ok((directory, registry, catalog));
    }
    let text = fs::read_to_string(path)
        .with_context(|| format!("the price file {} cannot be read", path.display()))?;
    let catalog = catalog
        .with_overrides(&text)
        .with_context(|| format!("the price file {} cannot be used", path.display()))?;
    Ok((directory, registry, catalog))
}

/// The declarations of a folder, by name.
fn declared_files(folder: &Path) -> anyhow::Result<Vec<DeclaredFile>> {
    if folder.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let shown = folder.display();
    let unreadable = || format!("`declared_services.dir` ({shown}) cannot be read");
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.display().to_string();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("the declaration {name} cannot be read"))?;
        Ok(DeclaredFile { name, text })
    };
    paths.into_iter().map(read).collect()
}
