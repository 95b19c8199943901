//! Lists the files of `catalog/`, so that a service's prices are a file and nothing else.

use std::{env, error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder =
        Path::new(&env::var_os("CARGO_MANIFEST_DIR").ok_or("no manifest folder")?).join("catalog");
    writeln!(
        std::io::stdout(),
        "cargo::rerun-if-changed={}",
        folder.display()
    )?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        // Beside the prices stand their importer's corrections and papers.
        let prices = path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && path.file_stem().is_some_and(|stem| stem != "corrections");
        if prices {
            files.push(path);
        }
    }
    files.sort();
    let mut list = String::from("&[");
    for path in files {
        let name = path
            .file_name()
            .ok_or("a file without a name")?
            .to_string_lossy()
            .into_owned();
        write!(list, "({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    let target =
        Path::new(&env::var_os("OUT_DIR").ok_or("no output folder")?).join("catalog_files.rs");
    fs::write(target, list)?;
    Ok(())
}
